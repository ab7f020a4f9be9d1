/** GSM 03.38: what a text message holds at seven bits a character. */
const basic =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
/** These take two. */
const extended = '^{}\\[~]|€\f';

export interface SmsLength {
  readonly encoding: 'gsm-7' | 'ucs-2';
  /** Septets, or UTF-16 units. */
  readonly units: number;
  /** What is paid for. */
  readonly segments: number;
}

/** Limits of one message, and of each of several: those carry a header that joins them. */
const limits = { 'gsm-7': { one: 160, each: 153 }, 'ucs-2': { one: 70, each: 67 } } as const;

export function measureSms(text: string): SmsLength {
  const characters = Array.from(text);
  const isGsm = characters.every((character) => basic.includes(character) || extended.includes(character));
  const encoding = isGsm ? 'gsm-7' : 'ucs-2';
  const costs = characters.map((character) => (isGsm ? (extended.includes(character) ? 2 : 1) : character.length));
  const units = costs.reduce((sum, cost) => sum + cost, 0);
  const { one, each } = limits[encoding];
  if (units <= one) return { encoding, units, segments: 1 };
  // A character is not divided among two messages, so these may not be full.
  let segments = 1;
  let used = 0;
  for (const cost of costs) {
    if (used + cost > each) {
      segments += 1;
      used = 0;
    }
    used += cost;
  }
  return { encoding, units, segments };
}

const nearest: Readonly<Record<string, string>> = {
  '–': '-',
  '—': '-',
  '“': '"',
  '”': '"',
  '„': '"',
  '’': "'",
  '…': '...',
  '«': '"',
  '»': '"',
};

/** With the nearest characters of GSM 03.38 where that is all it needs: one `á` would double what a message costs. */
export function toSmsText(text: string): string {
  const simple = Array.from(text)
    .map((character) => {
      if (basic.includes(character) || extended.includes(character)) return character;
      return nearest[character] ?? character.normalize('NFD').replaceAll(/\p{Mn}/gu, '');
    })
    .join('');
  return measureSms(simple).encoding === 'gsm-7' ? simple : text;
}
