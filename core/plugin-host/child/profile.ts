import type { Worker } from 'node:worker_threads';
import type { ChildLimits } from './boot.ts';
import { toSourcePositions, type ProfileNode } from './profile-source.ts';

interface CpuProfile {
  samples?: number[];
  timeDeltas?: number[];
  nodes: ProfileNode[];
}

/** How much longer than the profile itself a thread may take to hand it over; on a busy machine that is long. */
const handOverMs = 8000;

export interface ProfileOptions {
  readonly limits: ChildLimits;
  /** Whether it answers; a thread that does not is in native code. */
  readonly answers: boolean;
  /** The plugin's bundle, and its source map in base64. */
  readonly source: { readonly url: string; readonly map: string };
}

/**
 * A CPU profile of what the thread does now, as JSON of at most `profileMaxBytes`; null when none could be taken. A
 * thread that does not answer gets no more time than a profile takes.
 */
export async function profileThread(
  thread: Worker,
  { limits, answers, source }: ProfileOptions,
): Promise<string | null> {
  try {
    const text = await Promise.race([
      takeProfile(thread, limits.profileMs),
      giveUpAfter(limits.profileMs + (answers ? handOverMs : 0)),
    ]);
    if (text === null) return null;
    const profile = JSON.parse(text) as CpuProfile;
    if (source.map !== '') toSourcePositions(profile.nodes, source.url, source.map);
    return toText(profile, limits.profileMaxBytes);
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
function toText(profile: CpuProfile, maxBytes: number): string | null {
  const whole = JSON.stringify(profile);
  if (whole.length <= maxBytes) return whole;
  const short = JSON.stringify({ ...profile, samples: [], timeDeltas: [] });
  return short.length <= maxBytes ? short : null;
}
