/** Units as Grafana calls them. */
export type Unit =
  | 'short'
  | 's'
  | 'percentunit'
  | 'bytes'
  | 'Bps'
  | 'reqps'
  | 'ops'
  | 'cps'
  | 'dateTimeFromNow'
  | 'none'
  | 'bool_yes_no';

export interface Query {
  /** PromQL; `$__rate_interval` and the dashboard's variables may stand in it. */
  readonly expr: string;
  /** Of a series, with its labels: `{{plugin}}`. */
  readonly legend: string;
}

/** One question and its answer. */
export interface PanelDefinition {
  /** Never given to another panel of its dashboard: links point to it. */
  readonly id: number;
  readonly title: string;
  /** What it answers, and how to read it. */
  readonly question: string;
  readonly unit: Unit;
  /** `lines` over time, `stacked` parts of a whole, `number` for the newest value, `table` of what is there now. @default lines */
  readonly kind?: 'lines' | 'stacked' | 'number' | 'table';
  readonly queries: readonly Query[];
  /** Drawn as lines, or as colours of a number: what alerts fire at. */
  readonly limits?: Limits;
  readonly min?: number;
  readonly max?: number;
  /** Of 24. @default 8 */
  readonly width?: number;
  /** Alerts that are about what it shows: their links lead here. */
  readonly alerts?: readonly string[];
}

export interface Limits {
  readonly warning?: number;
  readonly critical?: number;
  /** It is bad below them. */
  readonly below?: boolean;
}

export interface RowDefinition {
  readonly title: string;
  readonly panels: readonly PanelDefinition[];
}

export interface DashboardDefinition {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Looked back over. @default 1h */
  readonly span?: string;
  readonly rows: readonly RowDefinition[];
}
