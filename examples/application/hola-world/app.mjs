// handler answers GET /hola.
export const handler = async () => ({
  statusCode: 200,
  body: JSON.stringify({ message: 'hola mundo' }),
});
