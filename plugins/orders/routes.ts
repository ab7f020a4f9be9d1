import { registerBulkRoutes } from './bulk/routes.ts';
import { registerDocumentRoutes } from './documents/routes.ts';
import { registerProofRoutes } from './proofs/routes.ts';
import { registerListRoutes } from './routes/list-routes.ts';
import { registerOrderRoutes } from './routes/order-routes.ts';
import type { RouteDeps } from './routes/parts.ts';
import { registerPriceRoutes } from './routes/price-routes.ts';
import { registerRequirementRoutes } from './routes/requirement-routes.ts';
import { registerStepRoutes } from './routes/step-routes.ts';
import { registerWindowRoutes } from './routes/window-routes.ts';

/** One file for each family of routes. */
export function registerRoutes(deps: RouteDeps): void {
  registerOrderRoutes(deps);
  registerListRoutes(deps);
  registerStepRoutes(deps);
  registerWindowRoutes(deps);
  registerPriceRoutes(deps);
  registerRequirementRoutes(deps);
  registerDocumentRoutes(deps);
  registerProofRoutes(deps);
  registerBulkRoutes(deps);
}
