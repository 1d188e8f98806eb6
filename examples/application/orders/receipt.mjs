import { total } from './total.mjs';

// handler answers POST /receipt with an order as a text for its buyer.
export const handler = async (event) => {
  const { items } = JSON.parse(event.body);
  const lines = items.map((item) => `${item.count} x ${item.name}`);
  return {
    statusCode: 200,
    headers: { 'Content-Type': 'text/plain' },
    body: [...lines, `Total: ${total(items).format({ symbol: '€' })}`].join('\n'),
  };
};
