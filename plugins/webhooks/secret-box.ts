/**
 * Secrets are needed to sign, so a hash would not do: they are sealed with AES-256-GCM by a key from the environment. Who
 * reads the database alone can sign nothing, and a sealed secret that is put beside another endpoint does not open there.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

export interface SecretBox {
  /** False without a key: there is nothing to seal with. */
  readonly usable: boolean;
  /** What sealed texts of the current key begin with. */
  readonly currentPrefix: string;
  /** `context` is where the secret belongs to: it opens with the same alone. */
  seal(secret: string, context: string): string;
  /** @throws when the key is not known, or the text is not what was sealed for this context */
  open(sealed: string, context: string): string;
}

const algorithm = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;

/** @param keys of 32 bytes; the first seals, all of them open */
export function createSecretBox(keys: readonly Buffer[]): SecretBox {
  const known = new Map(keys.map((key) => [prefixOf(key), key]));
  const [current] = known;
  return {
    usable: current !== undefined,
    currentPrefix: current?.[0] ?? '',
    seal(secret, context) {
      if (current === undefined) throw new Error('Cannot seal a secret: WEBHOOKS_SECRET_KEY has no key');
      const [prefix, key] = current;
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(context));
      const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
      return prefix + Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(sealed, context) {
      const prefix = sealed.slice(0, sealed.lastIndexOf('.') + 1);
      const key = known.get(prefix);
      if (key === undefined) throw new Error('Cannot open a secret: its key is not in WEBHOOKS_SECRET_KEY');
      const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url');
      const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(context))
        .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
      return decipher.update(bytes.subarray(ivBytes + tagBytes), undefined, 'utf8') + decipher.final('utf8');
    },
  };
}

/** The form, and which key it was: 64 bits of its hash, which do not give it away. */
function prefixOf(key: Buffer): string {
  return `1.${createHash('sha256').update(key).digest('hex').slice(0, 16)}.`;
}
