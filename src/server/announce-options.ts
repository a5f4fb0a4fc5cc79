import { z } from 'zod'
import { duration } from '../config/duration.ts'
import type { AnyKind, Family, FamilyInput, FamilyOutput } from '../core/family.ts'
import type { registrars } from '../registrars/index.ts'
import type { Registrar } from '../registrars/registrar.ts'
import { dialledHost } from '../registries/address.ts'
import type { Runtime } from '../runtime/runtime.ts'

/** The registrars that come with enmesh. */
export type BuiltInRegistrar = typeof registrars.kinds[number]

const signalNames = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const

/** The options that are data, for the registrars at hand. */
export const announcementConfig = <R extends AnyKind<Registrar>>(registrars: Family<Registrar, R>) => z.strictObject({
  service: z.string().min(1).max(255).describe('The name of the service, as its registry has it.'),
  registry: registrars.schema.describe('Where the instance is written down: a `type`, and the options of that type.'),
  id: z.string().regex(/^[\w:.@-]{1,64}$/, 'must have 1 to 64 letters, digits or any of _ : . @ -').optional()
    .describe("The instance's own name among those of the service, from restart to restart; another one at each start by default."),
  address: z.string().refine((text) => dialledHost(text.includes(':') && !text.startsWith('[') ? `[${text}]` : text) !== undefined,
    "is no host: write an IP address or a name, and the port by `port`").optional()
    .describe('The host by which others dial it. By default it is found.'),
  interface: z.string().min(1).optional().describe("The machine's network interface whose address others dial, such as 'eth0'."),
  port: z.int().min(1).max(65_535).optional().describe('The port that others dial; the one that the server listens on by default.'),
  zone: z.string().min(1).optional().describe('The zone that it is in, as metadata `zone`. By default it is found, where there is one.'),
  metadata: z.record(z.string().min(1), z.string()).default({}).describe('What subsets select by.'),
  healthInterval: duration.default(5_000).refine((ms) => ms > 0, 'must be above 0').describe('How often `health` is asked.'),
  signals: z.array(z.enum(signalNames)).default(['SIGTERM']).describe('Signals of the process at which the instance leaves.'),
  giveUp: duration.default(5_000).describe('How long it may take to be taken away before the instance goes without.'),
  propagation: duration.optional().describe('How long it goes on answering after it was taken away, so that everybody hears of it; as `registry` says by default.'),
  drain: duration.default(10_000).describe('How long the last requests may then take before their connections are cut.'),
  linger: duration.default(5_000)
    .describe('How long a process that left at a signal may go on by itself before the signal is sent again, if nobody else listens to it.'),
}).refine(({ address, interface: name }) => address === undefined || name === undefined, { path: ['interface'], error: 'is one of two: write `address` or `interface`' })

/** What `announce` takes: data, and what is none. */
export type AnnounceOptions<R extends AnyKind<Registrar> = BuiltInRegistrar> =
  Omit<z.input<ReturnType<typeof announcementConfig>>, 'registry'> & {
    readonly registry: FamilyInput<R>
    /** Says whether the instance is well; asked every `healthInterval`. Where it throws, rejects, answers with what is no boolean, or not in that time, the instance is not. */
    readonly health?: () => boolean | Promise<boolean>
    /** The registrars that `registry` may name. */
    readonly registrars?: Family<Registrar, R>
    /** Time and chance; what is left out is the machine's own. */
    readonly runtime?: Partial<Runtime>
  }

/** Parsed form of `announcementConfig`. */
export type AnnouncementConfig<R extends AnyKind<Registrar>> = Omit<z.output<ReturnType<typeof announcementConfig>>, 'registry'> & { readonly registry: FamilyOutput<R> }
