import type { Access } from './capability.ts';

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
  // oxlint-disable-next-line no-control-regex -- control characters, line separators and direction marks are what is escaped
  const oneLine = bare.replace(
    /[\u0000-\u001f\u007f-\u009f"\\\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    escape,
  );
  return oneLine.length > charactersMax ? `${oneLine.slice(0, charactersMax)}…` : oneLine;
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
