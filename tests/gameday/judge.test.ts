import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadlinesOf, findAlert } from './deadlines.ts';
import { findUnrelatedPages, isExpected, isToldTo, judge, type Seen } from './judge.ts';
import type { Told } from './receiver.ts';

const expected = { alert: 'RequestsFailing', labels: { service: 'saboteur', plugin: 'saboteur' } };
const page = (alertname: string, service: string, others: Partial<Told> = {}): Told => ({
  who: 'ALERT_ON_CALL_URL',
  status: 'firing',
  labels: { alertname, service, plugin: service },
  atMs: 0,
  ...others,
});

describe('findUnrelatedPages()', () => {
  it('is what somebody was called for beside the alert and its consequences', () => {
    const told = [
      page('RequestsFailing', 'saboteur'),
      page('ErrorBudgetBurnsFast', 'core'),
      page('DatabaseDown', 'core'),
      page('DatabaseDown', 'core'),
      page('SlowRequests', 'orders', { who: 'ALERT_OPS_URL' }),
      page('TargetDown', 'core', { status: 'resolved' }),
    ];
    const consequences = [{ alert: 'ErrorBudgetBurnsFast', because: 'the same requests' }];
    assert.deepEqual(findUnrelatedPages(told, [expected], consequences), ['DatabaseDown (core)']);
    assert.deepEqual(findUnrelatedPages(told, [expected], []), ['ErrorBudgetBurnsFast (core)', 'DatabaseDown (core)']);
  });

  it('is the right alert, too, when it names another plugin', () => {
    assert.deepEqual(findUnrelatedPages([page('RequestsFailing', 'orders')], [expected], []), [
      'RequestsFailing (orders)',
    ]);
    assert.ok(!isExpected(page('RequestsFailing', 'orders').labels, expected));
  });
});

describe('isToldTo()', () => {
  it('is who is on call for what is critical, whoever has the plugin for a warning, and nobody for the rest', () => {
    const who = ['ALERT_ON_CALL_URL', 'ALERT_OPS_URL', 'ALERT_FINANCE_URL', 'ALERT_INFRASTRUCTURE_LEAD_URL'];
    const told = (severity: Seen['severity']) => who.filter((each) => isToldTo(each, severity));
    assert.deepEqual(told('critical'), ['ALERT_ON_CALL_URL']);
    assert.deepEqual(told('warning'), ['ALERT_OPS_URL', 'ALERT_FINANCE_URL']);
    assert.deepEqual(told('info'), []);
  });
});

describe('judge()', () => {
  const seen: Seen = { expected, severity: 'critical', firedSeconds: 20, toldSeconds: 21, resolvedSeconds: 15 };

  it('passes what fired, was told, resolved, and called nobody else', () => {
    assert.deepEqual(judge(seen, []).failures, []);
    assert.ok(judge({ ...seen, toldSeconds: null }, []).isPassed, 'nobody is to be told');
  });

  it('fails what lacks one of these', () => {
    const failuresOf = (lacking: Partial<Seen>, pages: readonly string[] = []) =>
      judge({ ...seen, ...lacking }, pages).failures;
    assert.deepEqual(failuresOf({ firedSeconds: undefined, toldSeconds: undefined, resolvedSeconds: undefined }), [
      'did not fire in time',
    ]);
    assert.deepEqual(failuresOf({ toldSeconds: undefined }), ['nobody was told']);
    assert.deepEqual(failuresOf({ resolvedSeconds: undefined }), ['did not resolve in time']);
    assert.deepEqual(failuresOf({}, ['DatabaseDown (core)']), ['somebody was called for DatabaseDown (core)']);
  });
});

describe('deadlinesOf()', () => {
  const allowance = { leadSeconds: 20, recoverySeconds: 30 };

  it('is what the rule says, shortened, and what the fault needs', () => {
    // For 5 minutes, of a computed series of 5 minutes; three evaluations of 30 s and two scrapes of 15 s.
    const { fireMs, resolveMs } = deadlinesOf(findAlert('RequestsFailing'), 20, allowance);
    assert.equal(fireMs, 720_000 / 20 + 20_000);
    assert.equal(resolveMs, 420_000 / 20 + 30_000);
  });

  it('counts the shortest of several windows, and how long an alert goes on by itself', () => {
    const burns = deadlinesOf(findAlert('ErrorBudgetBurnsFast'), 20, allowance);
    assert.equal(burns.fireMs, (300_000 + 120_000 + 120_000) / 20 + 20_000);
    const cpu = deadlinesOf(findAlert('CpuHigh'), 20, allowance);
    assert.equal(cpu.resolveMs, (60_000 + 300_000 + 120_000) / 20 + 30_000);
  });
});
