import type { Attributes } from '@opentelemetry/api';
import type { Gauge, Histogram, Labels } from '#core/telemetry/metrics.ts';

/** The metrics that every request has. */
export interface RequestMetrics {
  readonly active: Gauge;
  readonly durations: Histogram;
  readonly bodies: Histogram;
}

/** What telemetry says of a request by how it ended. */
export interface Outcome {
  readonly attributes: Attributes;
  readonly duration: ReturnType<Histogram['with']>;
}

/** The template of what no route has. */
export const unmatched = '__unmatched__';

/**
 * What telemetry calls all requests of one method and route. A route has it made once for each method: a series is found
 * more quickly by labels that it has seen, and nothing is put together anew for each request. It holds the route's template
 * only: a raw path is an endless set of values, and may hold what does not belong into metrics.
 */
export class RequestKind {
  readonly method: string;
  readonly template: string;
  readonly plugin: string;
  readonly spanName: string;
  readonly routeLabels: Labels;
  readonly active: ReturnType<Gauge['with']>;
  readonly bodySize: ReturnType<Histogram['with']>;
  readonly #durations: Histogram;
  /** Of those that did not fail, by status. */
  readonly #outcomes = new Map<number, Outcome>();

  constructor(
    method: string,
    { template, plugin }: Pick<RequestKind, 'template' | 'plugin'>,
    { active, bodies, durations }: RequestMetrics,
  ) {
    this.method = method;
    this.template = template;
    this.plugin = plugin;
    this.spanName = template === unmatched ? method : `${method} ${template}`;
    this.routeLabels = { http_route: template, plugin };
    this.active = active.with({ http_request_method: method });
    this.bodySize = bodies.with(this.routeLabels);
    this.#durations = durations;
  }

  /** Of every request, also while it is not known how it will end. */
  get attributes(): Attributes {
    return {
      'http.request.method': this.method,
      'http.route': this.template,
      'url.scheme': 'http',
      'returnit.plugin': this.plugin,
    };
  }

  /** @param errorType empty unless it has failed */
  outcome(status: number, errorType: string): Outcome {
    if (errorType !== '') return this.#toOutcome(status, errorType);
    let outcome = this.#outcomes.get(status);
    if (outcome === undefined) {
      outcome = this.#toOutcome(status, '');
      this.#outcomes.set(status, outcome);
    }
    return outcome;
  }

  #toOutcome(status: number, errorType: string): Outcome {
    return {
      duration: this.#durations.with({
        ...this.routeLabels,
        http_request_method: this.method,
        http_response_status_code: String(status),
        error_type: errorType,
      }),
      attributes: {
        ...this.attributes,
        'http.response.status_code': status,
        ...(errorType === '' ? {} : { 'error.type': errorType }),
      },
    };
  }
}
