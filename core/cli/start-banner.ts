import type { App } from '#core/app.ts';
import type { PluginStatus } from '#core/plugin-host/plugin-host.ts';

/** What a start prints: where everything is, and what to try next. Under 15 lines, whatever plugins there are. */
export function formatBanner(
  app: Pick<App, 'addresses' | 'plugins'>,
  facts: { readonly database: string; readonly seconds: number; readonly demo: boolean },
): string {
  const { api, ops, mqtt } = app.addresses;
  const plugins = app.plugins();
  const troubled = plugins.filter(({ ready }) => !ready).slice(0, troubledMax);
  const lines = [
    `ReturnIt is ready in ${facts.seconds.toFixed(1)} s`,
    `  API       ${api}   description ${api}/docs`,
    `  live      ${api.replace('http', 'ws')}/live   or server-sent events at ${api}/live/<channel>`,
    `  MQTT      ${mqtt}`,
    `  metrics   ${ops}/metrics   health ${ops}/readyz   traces ${ops}/traces`,
    `  database  ${facts.database}`,
    `  plugins   ${plugins.map(({ name, state }) => `${name} ${state}`).join(', ') || 'none'}`,
    ...troubled.map(({ name, detail }: PluginStatus) => `            ${name}: ${detail ?? 'see the log'}`),
    ...(facts.demo ? [] : ['  next      npm run demo   or   npx returnit token --role customer']),
  ];
  return `${lines.join('\n')}\n`;
}

const troubledMax = 4;
