/** What those who ask notice. */
import type { Fault } from '../fault.ts';
import type { System } from '../system.ts';
import type { Load } from '../caller.ts';

const saboteur = { plugin: 'saboteur', service: 'saboteur' };
const core = { service: 'core' };
const slowMs = 1300;

/** So many calls a second to one route, of which one in `oneIn` is slow. */
const waitingLoad = ({ caller }: System, perSecond: number, oneIn: number): Load =>
  caller.keep((count) => caller.post('/saboteur/wait', { amount: count % oneIn === oneIn - 1 ? slowMs : 0 }), {
    perSecond,
    callers: 24,
  });

const failingLoad = ({ caller }: System, perSecond: number, oneIn: number): Load =>
  caller.keep(
    (count) => caller.post(count % oneIn === oneIn - 1 ? '/saboteur/fail' : '/saboteur/wait', { amount: 0 }),
    {
      perSecond,
    },
  );

/** What went well, until the share of what did not is small enough for the longest window; not as much as capacity alerts tell of. */
const healthyCalls = (system: System, count: number): Promise<void> => {
  const load = system.caller.keep(() => system.caller.post('/saboteur/wait', { amount: 0 }), {
    perSecond: 120,
    callers: 24,
  });
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      if (load.count < count) return;
      clearInterval(timer);
      load.stop().then(resolve, reject);
    }, 50);
  });
};

export const httpFaults: readonly Fault[] = [
  {
    name: 'slow-requests',
    what: 'One in thirty requests of a route takes more than a second',
    expects: [{ alert: 'SlowRequests', labels: { ...saboteur, http_route: '/saboteur/wait' } }],
    async inject(system) {
      const load = waitingLoad(system, 20, 30);
      return () => load.stop();
    },
  },
  {
    name: 'slow-burst',
    what: 'Every second request takes more than a second',
    expects: [{ alert: 'ErrorBudgetPromptnessBurnsFast', labels: { ...core, slo: 'promptness' } }],
    consequences: [{ alert: 'ErrorBudgetPromptnessBurnsSoon', because: 'the slower windows see the same requests' }],
    async inject(system) {
      const load = waitingLoad(system, 20, 2);
      return () => load.stop();
    },
  },
  {
    name: 'error-burst',
    what: 'Every fourth request to a plugin fails',
    expects: [
      { alert: 'RequestsFailing', labels: saboteur },
      { alert: 'ErrorBudgetBurnsFast', labels: { ...core, slo: 'availability' } },
    ],
    consequences: [{ alert: 'ErrorBudgetBurnsSoon', because: 'the slower windows see the same requests' }],
    async inject(system) {
      const load = failingLoad(system, 20, 4);
      return () => load.stop();
    },
  },
  {
    name: 'budget-trickle',
    what: 'One request in 140 fails and one in 14 is slow, for longer than anybody watches a graph',
    expects: ['Soon', 'Slow', 'Whole'].flatMap((pace) => [
      { alert: `ErrorBudgetBurns${pace}`, labels: { ...core, slo: 'availability' } },
      { alert: `ErrorBudgetPromptnessBurns${pace}`, labels: { ...core, slo: 'promptness' } },
    ]),
    // Until ten have failed.
    leadSeconds: 200,
    // Of what has gone well.
    recoverySeconds: 600,
    async inject(system) {
      const { caller } = system;
      const load = caller.keep(
        (count) => {
          if (count % 140 === 139) return caller.post('/saboteur/fail', { amount: 0 });
          return caller.post('/saboteur/wait', { amount: count % 14 === 7 ? slowMs : 0 });
        },
        { perSecond: 8 },
      );
      return async () => {
        await load.stop();
        // The shares are seven times what the slowest budget allows.
        await healthyCalls(system, load.count * 7);
      };
    },
  },
];
