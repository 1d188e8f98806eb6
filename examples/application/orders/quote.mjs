import { total } from './total.mjs';

// handler answers POST /quote with the price of an order.
export const handler = async (event) => {
  const { items } = JSON.parse(event.body);
  return { statusCode: 200, body: JSON.stringify({ total: total(items).toString() }) };
};
