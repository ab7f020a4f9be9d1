import type { Log } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';

type Fields = Readonly<Record<string, unknown>>;
type Level = keyof Log;

const messageMaxLength = 8192;

export function createLog(core: CoreConnection): Log {
  const at =
    (level: Level) =>
    (message: string, fields: Fields = {}): void =>
      core.note('log.write', { level, message: message.slice(0, messageMaxLength), fields: toJson(fields) });
  return Object.freeze({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') });
}

/** Logging must not throw: what is no JSON (a cycle, a bigint) is replaced by saying so. */
function toJson(fields: Fields): Fields {
  try {
    return JSON.parse(
      JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? plain(value) : value)),
    ) as Fields;
  } catch (error) {
    return { unloggable: error instanceof Error ? error.message : String(error) };
  }
}

function plain(error: Error): Fields {
  return { name: error.name, message: error.message, code: (error as { code?: unknown }).code, stack: error.stack };
}
