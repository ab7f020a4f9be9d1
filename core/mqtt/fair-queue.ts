import type { IncomingMessage } from './incoming-message.ts';

/** Of one topic, as much as may wait before what follows lets others go first. */
const promptMax = 2;
/** Of the messages taken, one in so many is of those who let others go first: they are slowed down, never stopped. */
const patientEvery = 4;

/**
 * Messages in the order in which they are to be handled: that of receipt within a topic, and a topic of which few wait
 * before one of which many do. A device that reports once a second does not queue behind those that come back with
 * thousands of fixes each.
 */
export class FairQueue<T> {
  readonly #prompt = new Map<IncomingMessage, T>();
  readonly #patient = new Map<IncomingMessage, T>();
  readonly #topics = new Map<string, { prompt: number; patient: number }>();

  get size(): number {
    return this.#prompt.size + this.#patient.size;
  }

  add(message: IncomingMessage, value: T): void {
    let counts = this.#topics.get(message.topic);
    if (counts === undefined) this.#topics.set(message.topic, (counts = { prompt: 0, patient: 0 }));
    // Behind its own earlier ones in any case.
    if (counts.patient === 0 && counts.prompt < promptMax) {
      counts.prompt += 1;
      this.#prompt.set(message, value);
    } else {
      counts.patient += 1;
      this.#patient.set(message, value);
    }
  }

  delete(message: IncomingMessage): boolean {
    const wasPrompt = this.#prompt.delete(message);
    if (!wasPrompt && !this.#patient.delete(message)) return false;
    const counts = this.#topics.get(message.topic);
    if (counts === undefined) return true;
    if (wasPrompt) counts.prompt -= 1;
    else counts.patient -= 1;
    if (counts.prompt + counts.patient === 0) this.#topics.delete(message.topic);
    return true;
  }

  *entries(): Generator<[IncomingMessage, T]> {
    const patient = this.#patient.entries();
    let next = patient.next();
    let taken = 0;
    for (const entry of this.#prompt) {
      taken += 1;
      if (taken % patientEvery === 0 && next.done !== true && this.#topics.get(next.value[0].topic)?.prompt === 0) {
        yield next.value;
        next = patient.next();
      }
      yield entry;
    }
    if (next.done !== true) yield next.value;
    yield* patient;
  }
}
