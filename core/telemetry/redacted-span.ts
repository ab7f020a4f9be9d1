import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { redactAttributes, redactText } from './redaction.ts';

/** The span as it may leave the process: whoever has set an attribute, no secret and no position stands in it. */
export function toRedactedSpan(span: ReadableSpan): ReadableSpan {
  const { status } = span;
  const safe: Partial<Record<keyof ReadableSpan, unknown>> = {
    name: redactText(span.name),
    attributes: redactAttributes(span.attributes),
    status: status.message === undefined ? status : { ...status, message: redactText(status.message) },
    events: span.events.map((event) => ({
      ...event,
      name: redactText(event.name),
      ...(event.attributes === undefined ? {} : { attributes: redactAttributes(event.attributes) }),
    })),
    links: span.links.map((link) =>
      link.attributes === undefined ? link : { ...link, attributes: redactAttributes(link.attributes) },
    ),
  };
  // The rest is read from the span itself, which is over and does not change.
  return Object.create(
    span,
    Object.fromEntries(Object.entries(safe).map(([name, value]) => [name, { value, enumerable: true }])),
  ) as ReadableSpan;
}
