// The Runtime API's client in the stand-in for Lambda's Node.js images:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime`;
const [file, name] = process.env._HANDLER.split('.');
let handler;
try {
  handler = (await import(`${process.env.LAMBDA_TASK_ROOT}/${file}.mjs`))[name];
  if (!handler) throw Object.assign(new Error(`${process.env._HANDLER} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
} catch (error) {
  const body = JSON.stringify({ errorType: error.name, errorMessage: error.message });
  await fetch(`${api}/init/error`, { method: 'POST', headers: { 'Lambda-Runtime-Function-Error-Type': error.name }, body });
  process.exit(129);
}

for (;;) {
  const next = await fetch(`${api}/invocation/next`);
  const id = next.headers.get('Lambda-Runtime-Aws-Request-Id');
  try {
    const answer = await handler(await next.json(), { awsRequestId: id });
    await fetch(`${api}/invocation/${id}/response`, { method: 'POST', body: JSON.stringify(answer) });
  } catch (error) {
    const body = JSON.stringify({ errorType: error.name, errorMessage: error.message });
    await fetch(`${api}/invocation/${id}/error`, { method: 'POST', body });
  }
}
