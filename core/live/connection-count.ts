import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { Viewer } from './channel-table.ts';

export interface ConnectionCount {
  /**
   * Takes a place for one connection.
   *
   * @returns gives it back
   * @throws {AppError} OVERLOADED when all places, or all of this viewer, are taken
   */
  take(viewer: Viewer): () => void;
}

/** How many live connections are open, of all and of each who watches. */
export function createConnectionCount(
  config: Pick<Config, 'liveConnectionsMax' | 'liveConnectionsPerPrincipalMax'>,
): ConnectionCount {
  const byViewer = new Map<string, number>();
  let open = 0;
  return {
    take({ principal }) {
      // A customer and a driver may have the same id.
      const key = `${principal.role}:${principal.id}`;
      const own = byViewer.get(key) ?? 0;
      if (own >= config.liveConnectionsPerPrincipalMax) refuse('principal', config.liveConnectionsPerPrincipalMax);
      if (open >= config.liveConnectionsMax) refuse('all', config.liveConnectionsMax);
      byViewer.set(key, own + 1);
      open += 1;
      return () => {
        open -= 1;
        const left = (byViewer.get(key) ?? 1) - 1;
        if (left === 0) byViewer.delete(key);
        else byViewer.set(key, left);
      };
    },
  };
}

function refuse(of: 'principal' | 'all', limit: number): never {
  const message = `Cannot open a live connection: ${limit} are open already`;
  throw new AppError('OVERLOADED', message, { details: { limit, of } });
}
