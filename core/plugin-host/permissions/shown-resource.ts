import type { Access } from '../capability.ts';

const charactersMax = 200;

/**
 * A resource as it may stand in a message, a log line or an audit record: it comes from the plugin, so it is bounded,
 * on one line, and without what may be a secret (credentials and query of a URL).
 */
export function shownResource({ resource }: Pick<Access, 'resource'>): string {
  const bare = resource
    .slice(0, charactersMax * 2)
    .replace(/\/\/[^/@\s]*@/g, '//')
    .replace(/[?#][^\s]*[=&][^\s]*/g, '');
  // Control characters, line separators and direction marks could fake or hide text.
  const oneLine = bare.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}"\\]/gu, escape);
  return oneLine.length > charactersMax ? `${oneLine.slice(0, charactersMax)}…` : oneLine;
}

function escape(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}
