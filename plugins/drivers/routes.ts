import type { PluginContext } from '#plugin-api';
import { registerAssignmentRoutes } from './assignment-routes.ts';
import { registerByHandRoutes } from './by-hand-routes.ts';
import { registerDeviceRoutes } from './device-routes.ts';
import { registerDriverRoutes } from './driver-routes.ts';
import { registerOfferRoutes } from './offer-routes.ts';
import { registerOnboardingRoutes } from './onboarding-routes.ts';
import { registerRouteRoutes, type RouteTools } from './route-routes.ts';
import { registerShiftRoutes } from './shift-routes.ts';

export function registerRoutes(ctx: PluginContext, tools: RouteTools): void {
  const { settings } = tools;
  registerDriverRoutes(ctx, tools);
  registerOnboardingRoutes(ctx, tools);
  registerShiftRoutes(ctx, settings);
  registerDeviceRoutes(ctx);
  registerOfferRoutes(ctx, settings);
  registerAssignmentRoutes(ctx);
  registerByHandRoutes(ctx, settings);
  registerRouteRoutes(ctx, tools);
}
