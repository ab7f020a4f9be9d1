import type { Worker } from 'node:worker_threads';
import type { ChildLimits } from './boot.ts';

interface CpuProfile {
  samples?: number[];
  timeDeltas?: number[];
  nodes: { id: number; children?: number[]; hitCount?: number }[];
}

/** How much longer than the profile itself a thread may take to hand it over; on a busy machine that is long. */
const handOverMs = 8000;

/**
 * A CPU profile of what the thread does now, as JSON of at most `profileMaxBytes`; null when none could be taken. A
 * thread that does not answer is in native code: it gets no more time than a profile takes.
 */
export async function profileThread(thread: Worker, limits: ChildLimits, answers: boolean): Promise<string | null> {
  try {
    const text = await Promise.race([
      takeProfile(thread, limits.profileMs),
      giveUpAfter(limits.profileMs + (answers ? handOverMs : 0)),
    ]);
    return text === null || text.length <= limits.profileMaxBytes ? text : shorten(text, limits.profileMaxBytes);
  } catch {
    // The thread ended by itself meanwhile: there is nothing left to profile.
    return null;
  }
}

async function takeProfile(thread: Worker, profileMs: number): Promise<string> {
  const profile = await thread.startCpuProfile();
  await new Promise((resolve) => setTimeout(resolve, profileMs));
  return await profile.stop();
}

function giveUpAfter(timeoutMs: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), timeoutMs));
}

/** Without the samples in time the call tree with its hit counts remains: it is what shows the loop. */
function shorten(text: string, maxBytes: number): string | null {
  const profile = JSON.parse(text) as CpuProfile;
  const short = JSON.stringify({ ...profile, samples: [], timeDeltas: [] });
  return short.length <= maxBytes ? short : null;
}
