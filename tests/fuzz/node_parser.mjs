// Node's own HTTP parser behind a pipe, for node_differential_fuzz.cc. Reads messages from standard input,
// writes what Node makes of each to standard output.
//
//   in:   u32 length, u8 kind (0 request, 1 response), u8 closed (the peer closed after the bytes), bytes
//   out:  u32 length, text
//
// All but the last byte are parsed first: the text says whether the message was complete before its end.
import fs from 'node:fs';

const { HTTPParser, methods, allMethods } = process.binding('http_parser');
const methodNames = allMethods ?? methods;

class Message {
  constructor() {
    this.fields = [];
    this.trailers = null;
    this.body = [];
    this.head = null;
    this.complete = false;
  }

  text() {
    const lines = [this.head];
    for (let i = 0; i < this.fields.length; i += 2) lines.push(`${this.fields[i]}=${this.fields[i + 1]}`);
    lines.push(`body=${Buffer.concat(this.body).toString('latin1')}`);
    return lines.join('\n');
  }
}

function parse(kind, bytes, closed) {
  const message = new Message();
  const parser = new HTTPParser();
  parser.initialize(kind === 0 ? HTTPParser.REQUEST : HTTPParser.RESPONSE, {}, 1 << 24, 0);
  let url = '';
  parser[HTTPParser.kOnHeaders | 0] = (fields, more) => {
    // More fields than fit at once, or the trailers.
    if (message.head === null) message.fields.push(...fields);
    url += more;
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, fields, method, target, status, reason, upgrade) => {
    if (fields !== undefined) message.fields.push(...fields);
    if (target !== undefined) url += target;
    const start = kind === 0 ? `${methodNames[method]} ${url}` : `${status}`;
    message.head = `${start} ${major}.${minor}${upgrade ? ' upgrade' : ''}`;
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (bytes) => { message.body.push(Buffer.from(bytes)); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => { message.complete = true; };

  const last = Math.max(0, bytes.length - 1);
  for (const piece of [bytes.subarray(0, last), bytes.subarray(last)]) {
    if (message.complete) return `early\n${message.text()}`;
    if (piece.length === 0) continue;
    const result = parser.execute(Buffer.from(piece));
    if (result instanceof Error) return `refused ${result.code}`;
  }
  if (closed) {
    const result = parser.finish();
    if (result instanceof Error) return `refused ${result.code}`;
  }
  const text = `${message.complete ? 'complete' : 'incomplete'}\n${message.text()}`;
  parser.close();
  return text;
}

function readFully(buffer) {
  let done = 0;
  while (done < buffer.length) {
    const n = fs.readSync(0, buffer, done, buffer.length - done, null);
    if (n === 0) return false;
    done += n;
  }
  return true;
}

const head = Buffer.alloc(6);
while (readFully(head)) {
  const bytes = Buffer.alloc(head.readUInt32LE(0));
  if (!readFully(bytes)) break;
  const text = Buffer.from(parse(head[4], bytes, head[5] !== 0), 'latin1');
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const answer = Buffer.concat([size, text]);
  for (let done = 0; done < answer.length;) done += fs.writeSync(1, answer, done);
}
