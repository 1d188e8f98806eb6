import Mustache from 'mustache';

// handler answers GET /hello?name=…
export const handler = async (event) => {
  const name = event.queryStringParameters?.name ?? 'world';
  return {
    statusCode: 200,
    body: JSON.stringify({ message: Mustache.render('hello {{{name}}}', { name }) }),
  };
};
