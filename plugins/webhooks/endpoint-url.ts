import type { Settings } from './settings.ts';

export const urlLengthMax = 2048;

/** What is wrong with the URL of an endpoint, as it is written; undefined when nothing is. Where its host leads the core looks at. */
export function checkUrl(text: string, { allowHttp }: Pick<Settings, 'allowHttp'>): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return 'it must be a URL that begins with https://';
  if (url.protocol === 'http:' && !allowHttp) return 'it must begin with https://';
  if (url.username !== '' || url.password !== '') return 'it must not carry a user or a password';
  if (text.includes('#')) return 'it must not have a fragment (#)';
  if (url.href.length > urlLengthMax) return `it must have at most ${urlLengthMax} characters`;
  if (portOf(url) !== 443 && !allowHttp) return 'its port must be 443';
  return undefined;
}

/** As a `net` permission names it. */
export function resourceOf(text: string): string {
  const url = new URL(text);
  return `${url.hostname}:${portOf(url)}`;
}

/** For people and logs: paths and queries may hold the partner's own secrets. */
export function hostOf(text: string): string {
  return new URL(text).host;
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}
