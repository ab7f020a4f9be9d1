/** What Grafana reads, as far as the rules look at it. */
export interface Target {
  readonly expr: string;
  readonly refId: string;
  readonly legendFormat?: string;
  readonly datasource?: { readonly uid?: string };
  readonly exemplar?: boolean;
}

export interface Link {
  readonly title: string;
  readonly url: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly datasource?: { readonly uid?: string };
  readonly targets?: readonly Target[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string; readonly links?: readonly Link[] } };
  readonly options?: { readonly legend?: object };
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly label?: string;
  readonly query?: unknown;
  readonly datasource?: { readonly uid?: string };
  readonly refresh?: number;
  readonly multi?: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly editable: boolean;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
}

export const drawn = ({ panels }: Dashboard): readonly Panel[] => panels.filter(({ type }) => type !== 'row');
