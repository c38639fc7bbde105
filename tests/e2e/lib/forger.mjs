// A TLS client whose handshake is Node's and whose records after it are made by hand: what no TLS library would send.
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { within } from './wait.mjs';

export const Content = { alert: 21, handshake: 22, data: 23 };
const TAG = 16;
const sha256 = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();
const sequenceBytes = (sequence) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64BE(sequence); return bytes; };

// TLS 1.3, one direction (RFC 8446 sections 5.2 and 7.1).
class Keys13 {
  constructor(secret) {
    this.secret = secret;
    this.key = this.#expand('key', 16);
    this.iv = this.#expand('iv', 12);
    this.sequence = 0n;
  }

  #expand(label, length) {
    const name = Buffer.from(`tls13 ${label}`);
    return sha256(this.secret, Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])).subarray(0, length);
  }

  next() { return new Keys13(this.#expand('traffic upd', 32)); }

  #nonce() {
    const nonce = Buffer.from(this.iv);
    nonce.writeBigUInt64BE(nonce.readBigUInt64BE(4) ^ this.sequence++, 4);
    return nonce;
  }

  seal(type, bytes, padding) {
    const inner = Buffer.concat([Buffer.from(bytes), Buffer.from([type]), Buffer.alloc(padding)]);
    const head = Buffer.from([Content.data, 3, 3, (inner.length + TAG) >> 8, (inner.length + TAG) & 255]);
    const cipher = createCipheriv('aes-128-gcm', this.key, this.#nonce()).setAAD(head);
    return Buffer.concat([head, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }
}

// TLS 1.2 (RFC 5246 sections 5 and 6.3, RFC 5288). Both sides have sent one record already: Finished.
class Keys12 {
  constructor(key, salt) {
    this.key = key;
    this.salt = salt;
    this.sequence = 1n;
  }

  static pair(master, clientRandom, serverRandom) {
    const seed = Buffer.concat([Buffer.from('key expansion'), serverRandom, clientRandom]);
    let block = Buffer.alloc(0);
    for (let a = sha256(master, seed); block.length < 40; a = sha256(master, a)) block = Buffer.concat([block, sha256(master, a, seed)]);
    return [new Keys12(block.subarray(0, 16), block.subarray(32, 36)), new Keys12(block.subarray(16, 32), block.subarray(36, 40))];
  }

  #aad(type, length) { return Buffer.from([...sequenceBytes(this.sequence++), type, 3, 3, length >> 8, length & 255]); }

  seal(type, bytes) {
    const explicit = sequenceBytes(this.sequence);
    const cipher = createCipheriv('aes-128-gcm', this.key, Buffer.concat([this.salt, explicit])).setAAD(this.#aad(type, bytes.length));
    const sealed = Buffer.concat([explicit, cipher.update(Buffer.from(bytes)), cipher.final(), cipher.getAuthTag()]);
    return Buffer.concat([Buffer.from([type, 3, 3, sealed.length >> 8, sealed.length & 255]), sealed]);
  }

  open(type, sealed) {
    const aad = this.#aad(type, sealed.length - 8 - TAG);
    const cipher = createDecipheriv('aes-128-gcm', this.key, Buffer.concat([this.salt, sealed.subarray(0, 8)]));
    cipher.setAAD(aad).setAuthTag(sealed.subarray(-TAG));
    return Buffer.concat([cipher.update(sealed.subarray(8, -TAG)), cipher.final()]);
  }
}

// The alert that an error of Node's tells of, such as UNEXPECTED_MESSAGE. Which version of TLS the code names besides depends on
// the version of OpenSSL.
export function alertName(error) { return error.code?.replace(/^.*_ALERT_/, '') ?? error.message; }

export class Forger {
  plain = '';       // what the server has sent
  alert = null;     // TLS 1.3: the one that ended it; see alertName()
  alerts = [];      // TLS 1.2: all of them, "LEVEL DESCRIPTION"
  closed = false;   // FIN or RST
  #keylog = {};
  #handshake = Buffer.alloc(0);
  #rest = Buffer.alloc(0);
  #done = false;

  static async connect(to, { ca, servername = 'localhost', version = 'TLSv1.3', protocol = 'http/1.1' }) {
    const forger = new Forger();
    await within(forger.#shakeHands(to, { ca, servername, minVersion: version, maxVersion: version,
      ciphers: version === 'TLSv1.3' ? 'TLS_AES_128_GCM_SHA256' : 'ECDHE-ECDSA-AES128-GCM-SHA256', ALPNProtocols: [protocol] }), 'TLS handshake');
    forger.#takeOver(version);
    return forger;
  }

  async #shakeHands(to, options) {
    const socket = this.socket = net.connect(to).setNoDelay(true);
    const between = this.between = new Duplex({ read() {}, write(bytes, _, done) { socket.write(bytes, done); } });
    socket.on('data', (bytes) => this.#take(bytes)).on('error', () => {}).on('end', () => between.push(null));
    socket.on('close', () => { this.closed = true; });
    const session = this.session = tls.connect({ socket: between, ...options });
    session.on('keylog', (line) => {
      const [label, random, secret] = String(line).trim().split(' ');
      this.#keylog[label] = { random: Buffer.from(random, 'hex'), secret: Buffer.from(secret, 'hex') };
    });
    session.on('data', (bytes) => { this.plain += bytes; });
    await new Promise((resolve, reject) => {
      session.once('secureConnect', resolve).on('error', (error) => { this.alert ??= alertName(error); reject(error); });
    });
  }

  // In TLS 1.3 Node goes on reading; in 1.2, where a warning would end its session, we do.
  #take(bytes) {
    if (this.#done) this.#open(bytes);
    else this.between.push(bytes);
    if (this.#handshake.length < 100) this.#handshake = Buffer.concat([this.#handshake, bytes]);
  }

  #takeOver(version) {
    if (version === 'TLSv1.3') {
      this.keys = new Keys13(this.#keylog.CLIENT_TRAFFIC_SECRET_0.secret);
      return;
    }
    const { random, secret } = this.#keylog.CLIENT_RANDOM;
    const serverRandom = this.#handshake.subarray(11, 43);  // behind the heads of record and ServerHello, and its version
    [this.keys, this.serverKeys] = Keys12.pair(secret, random, serverRandom);
    this.#done = true;
  }

  #open(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt16BE(3)) {
      const end = 5 + this.#rest.readUInt16BE(3);
      const type = this.#rest[0];
      const plain = this.serverKeys.open(type, this.#rest.subarray(5, end));
      this.#rest = this.#rest.subarray(end);
      if (type === Content.alert) this.alerts.push([...plain].join(' '));
      else this.plain += plain;
    }
  }

  record(type, bytes, padding = 0) { return this.keys.seal(type, bytes, padding); }

  // RFC 8446 section 4.6.3: what follows has new keys. `answer`: the server is to change its own, too.
  keyUpdate(answer = false) {
    const record = this.record(Content.handshake, [24, 0, 0, 1, answer ? 1 : 0]);
    this.keys = this.keys.next();
    return record;
  }

  write(...records) { this.socket.write(Buffer.concat(records)); }
  destroy() { this.session.destroy(); this.socket.destroy(); }
}
