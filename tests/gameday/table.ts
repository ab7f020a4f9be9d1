import { formatTable } from '#core/cli/text-table.ts';
import type { FaultResult } from './run-fault.ts';

const header = ['fault', 'alert', 'of', 'fires', 'told', 'unrelated pages', 'resolves', 'verdict'] as const;

const inSeconds = (seconds: number | undefined | null): string => {
  if (seconds === null) return '-';
  return seconds === undefined ? 'never' : `${seconds.toFixed(1)} s`;
};

export const isPassed = ({ error, verdicts }: FaultResult): boolean =>
  error === undefined && verdicts.every((verdict) => verdict.isPassed);

/** One line for each alert that a fault was to bring about. */
export function toRows({ fault, verdicts, unrelatedPages, error }: FaultResult): readonly (readonly string[])[] {
  const pages = unrelatedPages.length === 0 ? '0' : unrelatedPages.join(', ');
  if (error !== undefined) {
    const alerts = fault.expects.map(({ alert }) => alert).join(', ');
    return [[fault.name, alerts, '', '', '', pages, '', `FAILED: ${error.message.split('\n')[0]}`]];
  }
  return verdicts.map((verdict) => [
    fault.name,
    verdict.expected.alert,
    verdict.expected.labels['service'] ?? '',
    inSeconds(verdict.firedSeconds),
    inSeconds(verdict.toldSeconds),
    pages,
    inSeconds(verdict.resolvedSeconds),
    verdict.isPassed ? 'ok' : `FAILED: ${verdict.failures.join('; ')}`,
  ]);
}

export const formatResults = (results: readonly FaultResult[]): string => formatTable(header, results.flatMap(toRows));
