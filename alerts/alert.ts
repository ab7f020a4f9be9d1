/** What is seen of it: people wait, or money is wrong (symptom), something that will lead there (cause), or that we see at all. */
export type AlertType = 'symptom' | 'cause' | 'heartbeat';
/** `critical`: somebody is called. `warning`: to be looked at today. `info`: to be known. `none`: that it fires is the rule. */
export type Severity = 'critical' | 'warning' | 'info' | 'none';

/** Samples by series, in promtool's notation, one a `step`. */
export type Samples = Readonly<Record<string, string>>;

export interface Firing {
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

/** How an alert is proved. Each of these is run by promtool. */
export interface AlertCases {
  /** What these are of, where an alert is proved for more than one. */
  readonly of?: string;
  /** Between samples. @default 1m */
  readonly step?: string;
  readonly fires: { readonly samples: Samples; readonly at: string; readonly alerts: readonly Firing[] };
  /** A system that is well, or nearly so. */
  readonly quiet: { readonly samples: Samples; readonly at: string };
  /** At the threshold, or for less than the time: it does not fire. */
  readonly boundary: { readonly samples: Samples; readonly at: string };
  /** It fires at the first time, and no longer at the second. */
  readonly resolves: { readonly samples: Samples; readonly firesAt: string; readonly at: string };
}

export interface Alert {
  readonly name: string;
  /** Its page in `alerts/runbooks`. @default the name */
  readonly runbook?: string;
  readonly expr: string;
  readonly for: string;
  /** How long it goes on when it is over, for what comes and goes. */
  readonly keepFiringFor?: string;
  readonly severity: Severity;
  readonly type: AlertType;
  /** Whose it is; a template where a label says so. */
  readonly plugin: string;
  /** The same whenever it fires. */
  readonly summary: string;
  /** With the labels and the value that it fires with. */
  readonly description: string;
  /** More than one where it is about several things; undefined for what always fires. */
  readonly cases: AlertCases | readonly AlertCases[] | undefined;
}

export const casesOf = ({ cases = [] }: Alert): readonly AlertCases[] => [cases].flat();

/** A series that Prometheus computes, so that alerts and dashboards mean the same by it. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}
