// Loaded into npm: tells the process that started it how many bytes have come from registries.
'use strict';
const { IncomingMessage } = require('http');

let bytes = 0;
let told = 0;
const { push } = IncomingMessage.prototype;
IncomingMessage.prototype.push = function count(chunk, ...rest) {
  if (chunk) bytes += chunk.length;
  return push.call(this, chunk, ...rest);
};
if (process.send) {
  setInterval(() => {
    if (bytes > told && process.connected) process.send(bytes);
    told = bytes;
  }, 100).unref();
}
