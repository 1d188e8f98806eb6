import currency from 'currency.js';

// total returns the sum of the items of an order, without the errors of floating point.
export const total = (items) =>
  items.reduce((sum, item) => sum.add(currency(item.price).multiply(item.count)), currency(0));
