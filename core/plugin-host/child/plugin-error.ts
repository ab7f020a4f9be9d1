import { AppError } from '#core/errors/app-error.ts';
import { fromWireError, type WireError } from '#core/errors/wire-error.ts';

/** A denial as the plugin sees it: the same name and code wherever it was decided. */
export class NotCapable extends AppError {
  override readonly name = 'NotCapable';

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super('NOT_CAPABLE', message, { details });
  }
}

export function toPluginError(wire: WireError): AppError {
  return wire.code === 'NOT_CAPABLE' ? new NotCapable(wire.message, wire.details) : fromWireError(wire, 'INTERNAL');
}
