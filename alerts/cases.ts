/** Cases in the forms that most alerts have. Times in minutes. */
import type { AlertCases, Firing, Samples } from './alert.ts';

interface Form {
  readonly fires: readonly Firing[];
  /** How long it must last. */
  readonly for: number;
}

interface GaugeForm extends Form {
  /** The series for a value of the gauge that lasts, or for several that follow one another. */
  readonly samples: (values: string) => Samples;
  readonly high: number;
  readonly low: number;
  /** The value at which it does not fire yet. */
  readonly limit: number;
}

/** Of a gauge. */
export function gaugeCases({ samples, fires, high, low, limit, for: minutes }: GaugeForm): AlertCases {
  return {
    fires: { samples: samples(`${low} ${high}x${minutes + 10}`), at: `${minutes + 3}m`, alerts: fires },
    quiet: { samples: samples(`${low}x30`), at: '25m' },
    boundary: { samples: samples(`${limit}x30`), at: '25m' },
    resolves: {
      samples: samples(`${high}x${minutes + 4} ${low}x30`),
      firesAt: `${minutes + 3}m`,
      at: `${minutes + 8}m`,
    },
  };
}

interface CounterForm extends Form {
  /** The series for counters of which the faulty one grows by `faulty` a minute. */
  readonly samples: (faulty: (minutes: number) => string) => Samples;
  readonly high: number;
  readonly low: number;
  /** The growth a minute at which it does not fire yet. */
  readonly limit: number;
  /** Of the range that is looked at. */
  readonly window: number;
}

/** Of a counter's growth a minute. */
export function counterCases(form: CounterForm): AlertCases {
  const { samples, fires, high, low, limit, window, for: minutes } = form;
  const firesAt = window + minutes + 3;
  const steady =
    (rate: number) =>
    (length: number): string =>
      `0+${rate}x${length}`;
  const calm = (length: number): string => {
    const turn = firesAt + 1;
    const reached = high * turn;
    return `0+${high}x${turn} ${reached + low}+${low}x${length - turn}`;
  };
  return {
    fires: { samples: samples(steady(high)), at: `${firesAt}m`, alerts: fires },
    quiet: { samples: samples(steady(low)), at: `${firesAt + 10}m` },
    boundary: { samples: samples(steady(limit)), at: `${firesAt + 10}m` },
    resolves: { samples: samples(calm), firesAt: `${firesAt}m`, at: `${firesAt + window + 5}m` },
  };
}
