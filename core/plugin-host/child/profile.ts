import type { Worker } from 'node:worker_threads';
import type { ChildLimits } from './boot.ts';

interface CpuProfile {
  samples?: number[];
  timeDeltas?: number[];
  nodes: { id: number; children?: number[]; hitCount?: number }[];
}

/** How much longer than the profile itself a thread may take to hand it over. */
const handOverMs = 2000;

/** A CPU profile of what the thread does now, as JSON of at most `profileMaxBytes`; null when none could be taken. */
export async function profileThread(thread: Worker, limits: ChildLimits): Promise<string | null> {
  try {
    const text = await Promise.race([
      takeProfile(thread, limits.profileMs),
      giveUpAfter(limits.profileMs + handOverMs),
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
