/** What is seen of it: people wait, or money is wrong (symptom), or something that will lead there (cause). */
export type AlertType = 'symptom' | 'cause';
/** `critical`: somebody is called. `warning`: to be looked at today. */
export type Severity = 'critical' | 'warning';

/** Samples by series, in promtool's notation, one a minute. */
export type Samples = Readonly<Record<string, string>>;

export interface Firing {
  readonly labels: Readonly<Record<string, string>>;
  readonly description: string;
}

/** How an alert is proved. Each of these is run by promtool. */
export interface AlertCases {
  readonly fires: { readonly samples: Samples; readonly at: string; readonly alerts: readonly Firing[] };
  /** A system that is well, or nearly so. */
  readonly quiet: { readonly samples: Samples; readonly at: string };
  /** At the threshold, or for less than the time: it does not fire. */
  readonly boundary: { readonly samples: Samples; readonly at: string };
  /** It fires at the first time, and no longer at the second. */
  readonly resolves: { readonly samples: Samples; readonly firesAt: string; readonly at: string };
}

export interface Alert {
  /** Also of its runbook. */
  readonly name: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: Severity;
  readonly type: AlertType;
  /** Whose it is. */
  readonly plugin: string;
  /** The same whenever it fires. */
  readonly summary: string;
  /** With the labels and the value that it fires with. */
  readonly description: string;
  readonly cases: AlertCases;
}
