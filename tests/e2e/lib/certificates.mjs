// Certificate authorities, certificates and keys for a test, in a folder of its own, made by the openssl command.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

function openssl(...args) {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

// A private key of an authority or a certificate.
function makeKey(file, kind) {
  if (kind === 'rsa') openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', file);
  else openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file);
}

export class Authority {
  #issued = 0;

  constructor(folder, name = 'Test authority') {
    this.folder = folder;
    this.name = name;
    this.file = path.join(folder, `${name.replace(/\W/g, '-')}.crt`);
    this.keyFile = this.file.replace(/crt$/, 'key');
    makeKey(this.keyFile);
    openssl('req', '-x509', '-new', '-key', this.keyFile, '-subj', `/CN=${name}`, '-days', '30', '-out', this.file,
      '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
    this.pem = readFileSync(this.file);
  }

  // For these DNS names and IP addresses; the first one is the subject, unless `subject` says otherwise.
  issue(names, { kind = 'ec', subject = `/CN=${[names].flat()[0]}`, days = 30 } = {}) {
    const list = [names].flat();
    const base = path.join(this.folder, `${this.name.replace(/\W/g, '-')}-${++this.#issued}`);
    const files = { certificate: `${base}.crt`, key: `${base}.key` };
    makeKey(files.key, kind);
    const san = list.map((name) => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`)).join(',');
    openssl('req', '-new', '-key', files.key, '-subj', subject, '-out', `${base}.csr`);
    writeFileSync(`${base}.ext`, `subjectAltName=${san}\nbasicConstraints=CA:FALSE\n`);
    openssl('x509', '-req', '-in', `${base}.csr`, '-CA', this.file, '-CAkey', this.keyFile, '-CAcreateserial', '-days', String(days),
      '-extfile', `${base}.ext`, '-out', files.certificate);
    return { files, cert: readFileSync(files.certificate), key: readFileSync(files.key) };
  }
}
