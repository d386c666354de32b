/** The subcommands of `CLIENT` about invalidation messages; see `tracking.ts`. */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeSetHeader,
} from '../../resp/index.ts';
import { untilNul, type Call } from '../call.ts';
import { ERRORS } from '../errors.ts';
import type { TrackingMode } from '../tracking.ts';

export function tracking(call: Call): void {
  const isOn = call.is(2, 'on');
  const wanted = parseMode(call);
  if (wanted === undefined) return;
  if (!isOn && !call.is(2, 'off')) {
    call.fail(ERRORS.syntax);
    return;
  }
  const { node, session } = call;
  if (!isOn) {
    node.tracking.disable(session);
    call.ok();
    return;
  }
  const current = node.tracking.modeOf(session);
  const problem = problemOf(wanted, current) ?? protocolProblem(session.version);
  if (problem !== undefined) {
    call.fail(problem);
    return;
  }
  node.tracking.enable(session, { ...wanted, prefixes: prefixesOf(wanted, current) });
  call.ok();
}

function parseMode(call: Call): TrackingMode | undefined {
  const prefixes: string[] = [];
  const mode: TrackingMode = {
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes,
    caching: undefined,
  };
  for (let i = 3; i < call.count; i++) {
    if (call.is(i, 'bcast')) mode.broadcast = true;
    else if (call.is(i, 'optin')) mode.optIn = true;
    else if (call.is(i, 'optout')) mode.optOut = true;
    else if (call.is(i, 'noloop')) mode.noLoop = true;
    else if (call.is(i, 'prefix') && i + 1 < call.count) prefixes.push(call.text(++i));
    else if (call.is(i, 'redirect') && i + 1 < call.count) {
      call.fail(
        'ERR REDIRECT is not supported: invalidation messages are RESP3 pushes on the same ' +
          'connection; switch to it with HELLO 3',
      );
      return undefined;
    } else {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return mode;
}

/** What is wrong with a mode by itself, or after the one there is. */
function problemOf(wanted: TrackingMode, current: TrackingMode | undefined): string | undefined {
  if (wanted.prefixes.length > 0 && !wanted.broadcast) {
    return 'ERR PREFIX option requires BCAST mode to be enabled';
  }
  if (current !== undefined && current.broadcast !== wanted.broadcast) {
    return (
      "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and " +
      'then re-enabling it with a different mode.'
    );
  }
  if (wanted.broadcast && (wanted.optIn || wanted.optOut)) {
    return 'ERR OPTIN and OPTOUT are not compatible with BCAST';
  }
  if (wanted.optIn && wanted.optOut) {
    return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  }
  if ((wanted.optIn && current?.optOut) || (wanted.optOut && current?.optIn)) {
    return (
      "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and " +
      'then re-enabling it with a different mode.'
    );
  }
  return overlap(wanted.prefixes, current?.prefixes ?? []);
}

/** A client that is told nothing would go on to serve what is stale. */
function protocolProblem(version: number): string | undefined {
  return version === 3
    ? undefined
    : 'ERR CLIENT TRACKING needs RESP3 for its invalidation messages: send HELLO 3 first';
}

function overlap(given: readonly string[], existing: readonly string[]): string | undefined {
  for (const [index, prefix] of given.entries()) {
    const known = existing.find((other) => overlaps(prefix, other));
    const other = known ?? given.slice(index + 1).find((later) => overlaps(prefix, later));
    if (other === undefined) continue;
    const which = known === undefined ? 'another provided' : 'an existing';
    return (
      `ERR Prefix '${untilNul(prefix)}' overlaps with ${which} prefix '${untilNul(other)}'. ` +
      'Prefixes for a single client must not overlap.'
    );
  }
  return undefined;
}

function overlaps(one: string, other: string): boolean {
  return one.startsWith(other) || other.startsWith(one);
}

/** Prefixes add up; none at all is the empty one, which all keys have. */
function prefixesOf(wanted: TrackingMode, current: TrackingMode | undefined): readonly string[] {
  if (!wanted.broadcast) return [];
  const added = wanted.prefixes.length === 0 ? [''] : wanted.prefixes;
  return [...new Set([...(current?.prefixes ?? []), ...added])].toSorted(byCodeUnit);
}

function byCodeUnit(one: string, other: string): number {
  return one < other ? -1 : 1;
}

export function caching(call: Call): void {
  const mode = call.node.tracking.modeOf(call.session);
  if (mode === undefined) {
    call.fail(
      'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or ' +
        'OPTOUT mode enabled',
    );
  } else if (call.is(2, 'yes') && !mode.optIn) {
    call.fail('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
  } else if (call.is(2, 'no') && !mode.optOut) {
    call.fail('ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.');
  } else if (call.is(2, 'yes') || call.is(2, 'no')) {
    mode.caching = call.is(2, 'yes');
    call.ok();
  } else {
    call.fail(ERRORS.syntax);
  }
}

export function getRedirect(call: Call): void {
  writeInteger(call.out, call.node.tracking.modeOf(call.session) === undefined ? -1 : 0);
}

export function trackingInfo(call: Call): void {
  const mode = call.node.tracking.modeOf(call.session);
  const flags = mode === undefined ? ['off'] : ['on'];
  if (mode?.broadcast) flags.push('bcast');
  if (mode?.optIn) flags.push('optin');
  if (mode?.caching === true) flags.push('caching-yes');
  if (mode?.optOut) flags.push('optout');
  if (mode?.caching === false) flags.push('caching-no');
  if (mode?.noLoop) flags.push('noloop');
  const { out, version } = call;
  writeMapHeader(out, 3, version);
  writeBulkText(out, 'flags');
  writeSetHeader(out, flags.length, version);
  for (const flag of flags) writeBulkText(out, flag);
  writeBulkText(out, 'redirect');
  writeInteger(out, mode === undefined ? -1 : 0);
  writeBulkText(out, 'prefixes');
  writeArrayHeader(out, mode?.prefixes.length ?? 0);
  for (const prefix of mode?.prefixes ?? []) writeBulk(out, Buffer.from(prefix, 'latin1'));
}
