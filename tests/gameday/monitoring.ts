/** Prometheus and Alertmanager as Debian has them, with the project's rules and routes, in shortened time. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../support/external-postgres.ts';
import { projectDir } from '../support/project-copy.ts';
import { startProgram, type RunningProgram } from '../support/running-program.ts';
import { startReceiver, type Labels, type Receiver } from './receiver.ts';
import { scaleDuration, scaleRouting, scaleRules, setClock, type Clock } from './scale.ts';
import { agesOf } from './time-thresholds.ts';

/** As the README says. */
const scrapeInterval = '15s';
const placeholder = /\$\{(ALERT_[A-Z_]+_URL)\}/g;

export interface ActiveAlert {
  readonly labels: Labels;
  readonly state: 'pending' | 'firing';
}

export interface Monitoring {
  readonly receiver: Receiver;
  readonly prometheusUrl: string;
  readonly alertmanagerUrl: string;
  /** What is pending or fires in Prometheus. */
  alerts(): Promise<readonly ActiveAlert[]>;
  /** The values of an expression. */
  query(expr: string): Promise<readonly number[]>;
  /** Loads one more file of rules, or takes it away again. */
  useRules(content: object | undefined): Promise<void>;
  stop(): Promise<void>;
}

export interface MonitoringOptions {
  readonly factor: number;
  readonly folder: string;
  /** `host:port` of each node's operations page. */
  readonly nodes: readonly string[];
  readonly clock: Clock;
}

const rules = (): string => readFileSync(join(projectDir, 'alerts/returnit.rules.yml'), 'utf8');
const routes = (): string => readFileSync(join(projectDir, 'alerts/alertmanager.yml'), 'utf8');

export async function startMonitoring(options: MonitoringOptions): Promise<Monitoring> {
  const { factor, folder } = options;
  const receiver = await startReceiver();
  const file = (name: string): string => join(folder, name);
  const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()];
  const scaled = (text: string): string => scaleDuration(text, factor);

  const writeConfiguration = (more: readonly string[] = []): Promise<void> => {
    const jobs = { returnit: options.nodes, prometheus: [prometheusPort], alertmanager: [alertmanagerPort] };
    const toTarget = (place: string | number): string => (typeof place === 'string' ? place : `127.0.0.1:${place}`);
    const configuration = {
      global: {
        scrape_interval: scaled(scrapeInterval),
        // Prometheus wants no more than the interval.
        scrape_timeout: scaled('10s'),
        evaluation_interval: scaled('30s'),
      },
      rule_files: [file('returnit.rules.yml'), ...more],
      alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${alertmanagerPort}`] }] }] },
      scrape_configs: Object.entries(jobs).map(([name, places]) => ({
        job_name: name,
        static_configs: [{ targets: places.map(toTarget) }],
      })),
    };
    return writeFile(file('prometheus.yml'), stringify(configuration));
  };

  await writeFile(file('returnit.rules.yml'), scaleRules(setClock(rules(), options.clock), factor, agesOf));
  const addressed = routes().replaceAll(placeholder, (_whole, who: string) => receiver.urlOf(who));
  await writeFile(file('alertmanager.yml'), scaleRouting(addressed, factor));
  await writeConfiguration();
  const toUrl = (port: number): string => `http://127.0.0.1:${port}`;
  const start = (port: number, command: readonly [string, ...string[]]): Promise<RunningProgram> =>
    startProgram({
      command: [...command, `--web.listen-address=127.0.0.1:${port}`],
      cwd: folder,
      readyUrl: `${toUrl(port)}/-/ready`,
    });
  const [alertmanager, prometheus] = await Promise.all([
    start(alertmanagerPort, [
      'prometheus-alertmanager',
      `--config.file=${file('alertmanager.yml')}`,
      `--storage.path=${file('alertmanager')}`,
      '--cluster.listen-address=',
    ]),
    start(prometheusPort, [
      'prometheus',
      `--config.file=${file('prometheus.yml')}`,
      `--storage.tsdb.path=${file('prometheus')}`,
      // Its defaults, shortened.
      `--query.lookback-delta=${scaled('5m')}`,
      `--rules.alert.resend-delay=${scaled('1m')}`,
    ]),
  ]);
  const prometheusUrl = toUrl(prometheusPort);
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${prometheusUrl}${path}`);
    if (!response.ok) throw new Error(`Prometheus answered ${response.status} to ${path}: ${await response.text()}`);
    return ((await response.json()) as { readonly data: T }).data;
  };

  return {
    receiver,
    prometheusUrl,
    alertmanagerUrl: toUrl(alertmanagerPort),
    alerts: async () => (await ask<{ alerts: ActiveAlert[] }>('/api/v1/alerts')).alerts,
    async query(expr) {
      const path = `/api/v1/query?query=${encodeURIComponent(expr)}`;
      const { result } = await ask<{ result: { value: [number, string] }[] }>(path);
      return result.map(({ value: [, value] }) => Number(value));
    },
    async useRules(content) {
      const more = file('more.rules.yml');
      if (content !== undefined) await writeFile(more, stringify(content));
      await writeConfiguration(content === undefined ? [] : [more]);
      prometheus.child.kill('SIGHUP');
    },
    async stop() {
      await Promise.all([prometheus.stop(), alertmanager.stop()]);
      await receiver.stop();
    },
  };
}
