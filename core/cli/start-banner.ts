import type { App } from '#core/app.ts';
import type { PluginStatus } from '#core/plugin-host/plugin-host.ts';

/** What a start prints: where everything is, and what to try next. Under 15 lines with what npm and the demo add, whatever plugins there are. */
export function formatBanner(
  app: Pick<App, 'addresses' | 'plugins'>,
  facts: {
    readonly database: string;
    /** null: standard output. */
    readonly logPath: string | null;
    readonly seconds: number;
    readonly demo: boolean;
  },
): string {
  const { api, ops, mqtt } = app.addresses;
  const plugins = app.plugins();
  const [troubled, ...others] = plugins.filter(({ ready }) => !ready);
  const lines = [
    `ReturnIt is ready in ${facts.seconds.toFixed(1)} s`,
    `  API       ${api}   description ${api}/docs`,
    `  live      ${api.replace('http', 'ws')}/live   or server-sent events at ${api}/live/<channel>`,
    `  MQTT      ${mqtt}`,
    `  metrics   ${ops}/metrics   health ${ops}/readyz   traces ${ops}/traces`,
    `  data      ${facts.database}   log ${facts.logPath ?? 'on standard output'}`,
    `  plugins   ${plugins.map(({ name, state }) => `${name} ${state}`).join(', ') || 'none'}`,
    ...(troubled === undefined ? [] : [`            ${describeTrouble(troubled, others.length)}`]),
    ...(facts.demo ? [] : ['  next      npm run demo   or   npx returnit token --role customer']),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line however many there are: `returnit plugins deaths` and the health page say more. */
function describeTrouble({ name, detail }: PluginStatus, others: number): string {
  return `${name}: ${detail ?? 'see the log'}${others === 0 ? '' : ` (and ${others} more)`}`;
}
