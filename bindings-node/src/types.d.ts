/** A table of the package `apache-arrow` of any version, as far as it matters here. */
export interface ArrowTable {
  readonly batches: readonly unknown[]
  readonly schema: unknown
  getChild(name: string): unknown
}

/** The values of one column. `null` and `undefined`, and NaN among floats, mean missing. */
export type ColumnInput =
  | readonly (string | null | undefined)[]
  | readonly (number | null | undefined)[]
  | readonly (bigint | null | undefined)[]
  | readonly (boolean | null | undefined)[]
  | readonly (Date | null | undefined)[]
  | Float64Array
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/**
 * A frame coming in: columns by name, an array of row objects, the bytes of an
 * Arrow IPC stream or file, a Table of `apache-arrow`, or a `Frame` of an
 * earlier call. It is copied before the call returns; changing it later changes
 * nothing.
 *
 * For millions of rows prefer typed arrays or Arrow: arrays of strings are
 * encoded on the event loop's thread, about 0.1 s for each million.
 */
export type FrameInput =
  | { readonly [column: string]: ColumnInput }
  | readonly object[]
  | Uint8Array
  | ArrayBuffer
  | ArrowTable
  | Frame

/** The values of one column of a `Frame`. */
export type ColumnOutput = Float64Array | BigInt64Array | (string | null)[] | (boolean | null)[] | (bigint | null)[]

/** A cell of a row object. */
export type Cell = string | number | bigint | boolean | Date | null

/** A span of time: `"30d"`, `"12h"`, `"15m"`, `"90s"`, `"500ms"`, `"2w"`, or a number of days. */
export type Duration = string | number

/** What every long call takes. */
export interface RunOptions {
  /** Stops the work, running or queued; the promise rejects with `name: "AbortError"`, `code: "HW_CANCELLED"`. */
  signal?: AbortSignal
  /** Told about 20 times a second what is being done, how much is done of it, and the total (0 while unknown). */
  onProgress?: (stage: string, done: number, total: number) => void
  /** Threads to use; 0, the default, is one for each core. The result is the same for any number. */
  threads?: number
  /** Seed of everything random, 0 by default: runs repeat. */
  seed?: number | bigint
}

/** What to do with rows that cannot be used: refuse the frame (the default), or drop and count them. */
export type OnInvalid = 'error' | 'drop'

/** The kind of an error, the same in Python and Rust. */
export type ErrorCode =
  | 'HW_COLUMN'
  | 'HW_ROW'
  | 'HW_OPTION'
  | 'HW_NOT_CONVERGED'
  | 'HW_NOT_ENOUGH_DATA'
  | 'HW_MODEL_FILE'
  | 'HW_CANCELLED'
  | 'HW_IO'
  | 'HW_INTERNAL'

/** What went wrong, where, and what to do. */
export declare class HeadwaterError extends Error {
  /** The kind of error. */
  readonly code: ErrorCode
  /** The column that it is about. */
  readonly column?: string
  /** The first row that it is about, counted from 0. */
  readonly row?: number
  /** The option that it is about. */
  readonly option?: string
}

export interface Frame {
  /**
   * One column: numbers and whole numbers as Float64Array with NaN for missing,
   * times as Float64Array of milliseconds since the epoch (what `new Date()`
   * takes; microseconds are the fraction), whole numbers that a double cannot
   * hold as BigInt64Array, strings and booleans as arrays with `null` for missing.
   */
  column(name: string): ColumnOutput
  /** All columns by name. */
  columns(): Record<string, ColumnOutput>
  /** An array of row objects; times as `Date`, missing values as `null`. */
  toRows(): Record<string, Cell>[]
  /** A Table of the package `apache-arrow`, which must be installed beside this one. */
  toArrow<T extends ArrowTable = ArrowTable>(): T
  toString(): string
  toJSON(): Record<string, Cell>[]
  [Symbol.iterator](): IterableIterator<Record<string, Cell>>
}

export declare namespace simulate {
  /** One channel of a market, and what it truly does. */
  export interface ChannelOptions {
    /** The channel's name; unique, not empty. */
    name: string
    /** Tells the reader, changes nothing. Default `"paid"`. */
    kind?: 'paid' | 'organic'
    /** Touches per person in 30 days, on average, by chance alone. Default 0. */
    reach?: number
    /** Money for each touch. Default 0. */
    cost?: number
    /** Probability that one touch causes one order that would not have been. Default 0. */
    effect?: number
    /** Half-life of the delay from a touch to the order that it causes. Default `"2d"`. */
    carryOver?: Duration
    /** Probability that an order is preceded by a touch because the person means to buy. Default 0. */
    intent?: number
    /** Mean time from such a touch to its order. Default `"6h"`. */
    intentLead?: Duration
    /** Probability that a visit through another channel is followed by a touch of this one. Default 0. */
    follow?: number
    /** Whether it follows every visit, or only those of people who are about to order. Default `"visits"`. */
    followOn?: 'visits' | 'intent'
    /** Mean time from the visit to the touch that follows it. Default `"2d"`. */
    followDelay?: Duration
    /** How many times as often chance touches reach people who buy anyway as others; `reach` stays the average. Default 1. */
    targeting?: number
    /** What each touch takes from the effect of the next: effect × (1 − saturation)ⁿ. Default 0. */
    saturation?: number
    /** How long a touch weakens those after it. Default `"30d"`. */
    saturationWindow?: Duration
    /** Other channels whose touches multiply the effect of later ones of this channel; `within` is `"14d"` by default. */
    synergy?: { after: string; factor: number; within?: Duration }[]
    /** Whether a touch is a visit, where the person may log in; else an impression. Default true. */
    visit?: boolean
    /** Whether the channel reaches only people who have ordered. Default false. */
    customersOnly?: boolean
    /** Whether a touch carries the person's e-mail address. Default false. */
    knowsEmail?: boolean
    /** Number of campaigns; 0, the default, leaves the campaign empty. */
    campaigns?: number
  }

  /** How people buy when nothing makes them: BG/NBD for times, Gamma-Gamma for amounts. */
  export interface PurchaseProcess {
    /** Share of people who come to buy without being brought. Default 0.4. */
    buyers?: number
    /** Mean time from entering the market to the first order of a buyer. Default `"14d"`. */
    consideration?: Duration
    /** Shape of the Gamma distribution of the order rate. Default 0.8. */
    r?: number
    /** Its rate, in days. Default 32. */
    alpha?: number
    /** First parameter of the Beta distribution of the dropout probability. Default 1. */
    a?: number
    /** Its second parameter. Default 4. */
    b?: number
    /** Shape of a person's amounts. Default 6.25. */
    spendP?: number
    /** Shape of the distribution of the amounts' rate, above 1. Default 3.75. */
    spendQ?: number
    /** Rate of that distribution. Default 18. */
    spendGamma?: number
  }

  /** How people leave traces of who they are; probabilities but for `cookieLife`. */
  export interface IdentityBehaviour {
    /** A second device. Default 0.5. */
    secondDevice?: number
    /** A third, given two. Default 0.2. */
    thirdDevice?: number
    /** The shop's app on a device. Default 0.25. */
    app?: number
    /** Mean life of a cookie. Default `"90d"`. */
    cookieLife?: Duration
    /** A visit of a person with an account is logged in. Default 0.15. */
    login?: number
    /** An account is opened at the first visit. Default 0.1. */
    member?: number
    /** A second e-mail address. Default 0.1. */
    secondEmail?: number
    /** An order on the web leaves an e-mail address. Default 0.85. */
    orderEmail?: number
    /** An order on the web is made logged in. Default 0.5. */
    orderLogin?: number
    /** An order leaves a telephone number. Default 0.2. */
    orderPhone?: number
    /** An order is made in a store. Default 0.08. */
    store?: number
    /** A loyalty card. Default 0.6. */
    loyalty?: number
    /** Living with the next person. Default 0.35. */
    household?: number
    /** A household shares a device. Default 0.3. */
    sharedDevice?: number
    /** A visit of someone who shares a device is made on it. Default 0.2. */
    sharedUse?: number
  }

  /** A market; the options with their seed decide it wholly. */
  export interface MarketOptions {
    /**
     * The name of a market that differs in what makes attribution hard;
     * `presets` lists them. What is given beside it overrides, and its defaults
     * are other ones: 20,000 people, 180 and 30 days.
     */
    preset?: string
    /** How many people there are. Default 10,000. */
    people?: number
    /** About how many touches there should be; decides `people` when given. */
    events?: number
    /** How many days are observed. Default 365. */
    days?: number
    /** How many days follow, to check forecasts. Default 90. */
    holdoutDays?: number
    /** The first day. Default `"2025-01-01"`. */
    start?: string | Date
    /** The channels. Eight by default. */
    channels?: ChannelOptions[]
    /** How alike people are in how much they are reached (shape of a Gamma distribution). Default 1.5. */
    activity?: number
    /** How alike they are in how much touches move them (the same); by default all alike. */
    responsiveness?: number
    /** Channels that touch nobody, while everything else and each person's random draws stay the same. */
    off?: string[]
    /** The purchase process. */
    purchases?: PurchaseProcess
    /** The identifiers. */
    identity?: IdentityBehaviour
    /** How many people one batch holds. Default 16,384; changes nothing but memory. */
    batchPeople?: number
  }

  /** One randomised test of one channel; each is made as if it were the only one. */
  export interface LiftTest {
    /** The channel. */
    channel: string
    /** The first instant. Default: the market's start. */
    start?: string | Date
    /** The end, excluded. Default: the end of the observed days. */
    end?: string | Date
    /** The share of people held out. Default 0.5. */
    heldOut?: number
    /** How long after the end orders still count. Default `"0d"`. */
    cooldown?: Duration
    /** Everyone, or only those whom the channel would touch. Default `"everyone"`. */
    design?: 'everyone' | 'reached'
    /** What is counted. Default `"conversions"`. */
    metric?: 'conversions' | 'value'
    /** Decides who is held out. Default 0. */
    seed?: number | bigint
  }

  /** Columns and conventions of `score`. */
  export interface ScoreOptions {
    /** Column of credits; with `<credit>_low` and `_high`, or `share_low` and `_high`, coverage is told. Default `"conversions"`. */
    credit?: string
    /** Column of the truth. Default `"lost_conversions"`. */
    truth?: string
    /** Relative errors are summed up over channels with at least this true share. Default 0.05. */
    minShare?: number
    /** Labels of credits that belong to no channel. Default `["(unattributed)", "(baseline)"]`. */
    outside?: string[]
  }

  /**
   * The same market as `market` gives, as a stream: one batch of people, each
   * whole, in memory at a time.
   */
  export function batches(options?: MarketOptions & RunOptions): AsyncGenerator<Market, void, void>
}

/** A kind of identifier; just its name is enough. */
export interface Namespace {
  /** Its name, as in the columns and in `observe`. */
  name: string
  /** How many different values of it one customer may have; default: any number. */
  limit?: number
  /** How its values are normalised; by default its name decides. */
  normalize?: 'none' | 'trim' | 'lower' | 'email' | 'email_gmail' | 'phone' | 'device'
  /** Values of it that identify nobody; `*` stands for any text, case does not count. */
  blocked?: string[]
}

/** The rules of stitching. */
export interface IdentityRules {
  /** The namespaces, the strongest first; others may still be used, and are weaker. */
  namespaces?: (string | Namespace)[]
  /** How many identifiers one customer may have in all; default: any number. */
  maxIdentifiers?: number
  /**
   * When the identifiers of an event cannot all be one customer: leave out the
   * weakest until they can (`"demote"`, the default), or only those that do not fit.
   */
  onConflict?: 'demote' | 'skip'
  /** Whether the well-known values for nobody (`null`, `anonymous`, all-zero ids, …) are blocked; default true. */
  blockGarbage?: boolean
  /** Values that identify nobody in any namespace; `*` stands for any text. */
  blocked?: string[]
  /** An e-mail address or telephone number that is none: keep it as it is (the default), or block it. */
  onUnparsable?: 'keep' | 'block'
  /** The country of telephone numbers without a country code, such as `"GB"`. */
  defaultRegion?: string
  /** Goes into customer ids, so that nobody without it can tell from which identifier one came. */
  salt?: string
}

/** The unit of times that are plain numbers. */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns' | 'd'

/** The columns of `stitch`, and its rules. */
export interface StitchOptions {
  /** The columns that hold identifiers; each is the namespace of its values. */
  identifiers: string[]
  /** The namespaces of columns that are not called after them: `{column: namespace}`. */
  namespaces?: Record<string, string>
  /** The column of times; by default the rows are taken to be in order. */
  time?: string
  /** The column that says where a row comes from. */
  source?: string
  /** The rules. */
  rules?: IdentityRules
  /** Rows without a valid time. Default `"error"`. */
  onInvalid?: OnInvalid
  /** The unit of times that are plain numbers; without it they are an error. */
  timeUnit?: TimeUnit
}

/** One step of the chain that joins two identifiers. */
export interface Link {
  /** Where the step begins. */
  from: Identifier
  /** Where it ends. */
  to: Identifier
  /** When the two were first seen together. */
  time: Date | null
  /** When they were last seen together. */
  lastTime: Date | null
  /** Where the first event came from. */
  source: string | null
  /** In how many events they were together. */
  events: number
}

/** Which columns of a frame hold identifiers. */
export interface AssignOptions {
  /** The columns; by default those that were stitched, as far as the frame has them. */
  identifiers?: string[]
  /** The namespaces of columns that are not called after them: `{column: namespace}`. */
  namespaces?: Record<string, string>
}

export interface People {
  /** The customer of each row that was stitched, as a frame with the one column `customer`. */
  assign(): Promise<Frame>
  /**
   * A frame with a column `customer` beside its own, that of the strongest of
   * its identifiers that is known, `null` where none is. The kind that went in
   * comes out: rows for rows, columns for columns, a Table for a Table, a Frame
   * for a Frame; for Arrow bytes, a Frame of the customers alone.
   */
  assign<T extends FrameInput>(events: T, options?: AssignOptions & RunOptions): Promise<Assigned<T>>
}

/** A frame with a column `customer`, as `People.assign` gives it. */
export type Assigned<T> = T extends Frame | Uint8Array | ArrayBuffer
  ? Frame
  : T extends ArrowTable
    ? T
    : T extends readonly (infer R)[]
      ? (R & { customer: string | null })[]
      : T & { customer: (string | null)[] }

/** The columns of `evaluate`. */
export interface EvaluateOptions {
  /** The column of true customers. Default `"truth"`. */
  truth?: string
  /** The column of customers found. Default `"customer"`. */
  customer?: string
  /** Rows without truth. Default `"error"`. */
  onInvalid?: OnInvalid
}

/** Columns and policies of `Journeys.fromEvents`. */
export interface EventOptions {
  /** The conversions: a frame (customer, time, value), or the name of a flag column in the touches. */
  conversions?: FrameInput | string
  /** Column of touches: who. Default `"customer"`. */
  customer?: string
  /** Column of touches: when. Default `"time"`. */
  time?: string
  /** Column of touches: through which channel. Default `"channel"`. */
  channel?: string
  /** Column of touches: what the touch cost. */
  cost?: string
  /** Column of the value of a conversion; without it only numbers of conversions are known. */
  value?: string
  /** Column of conversions: who. Default: as in touches. */
  conversionCustomer?: string
  /** Column of conversions: when. Default: as in touches. */
  conversionTime?: string
  /** How far a conversion looks back. Default `"30d"`. */
  lookback?: Duration
  /** The order of touches at the same time: by channel (the default), or as the rows stand. */
  ties?: 'channel' | 'input'
  /** A touch at the instant of the conversion. Default `"include"`. */
  atConversion?: 'include' | 'exclude'
  /**
   * A touch that could serve several conversions: each (the default); none from before the last conversion;
   * or the first whose window holds it.
   */
  sharedTouch?: 'each' | 'reset' | 'first_only'
  /** A flagged row's own channel. Default `"touch_and_conversion"`. */
  flaggedRow?: 'touch_and_conversion' | 'conversion'
  /**
   * Touches that led to no conversion. Default `"include"`: they form open journeys. `"censored"`: all do, but
   * only those that are over count as nulls.
   */
  open?: 'include' | 'decided' | 'censored' | 'exclude'
  /** The end of observation. Default: the latest time there is. */
  observationEnd?: Date | string
  /** Windows of channels. Of several windows of a touch the shortest holds; `lookback` where it has none. */
  lookbackByChannel?: Record<string, Duration>
  /** Column of touches: view or click; null is a click. */
  kind?: string
  /** What views are called in `kind`. Default `"view"`. */
  view?: string
  /** What clicks are called in `kind`. Default `"click"`. */
  click?: string
  /** Window of views. */
  viewLookback?: Duration
  /** Window of clicks. */
  clickLookback?: Duration
  /** What a view counts for in the rules, beside 1 of a click. Default 1. */
  viewWeight?: number
  /** Column of touches: what each counts for in the rules. */
  weight?: string
  /** Column of touches: the campaign within the channel; may be null. */
  campaign?: string
  /** Column of conversions: their kind. */
  conversionKind?: string
  /** The kinds that count as conversions. Default: all. */
  kinds?: readonly string[]
  /** Windows of kinds of conversions. */
  lookbackByKind?: Record<string, Duration>
  /** Column of conversions: the order; rows with the same id are one conversion. */
  orderId?: string
  /** Which of these is kept. Default `"first"`; `"sum"`: the first, with the value of all. */
  duplicateOrders?: 'first' | 'last' | 'sum' | 'error'
  /** Column of conversions: where they took place. */
  conversionPlace?: string
  /** Channels that are not online. */
  offlineChannels?: readonly string[]
  /** Touches no further apart than this are one session, of which one touch is kept. */
  sessionGap?: Duration
  /** The touch that stands for a session. Default `"first"`. */
  sessionTouch?: 'first' | 'last' | 'first_non_direct' | 'last_non_direct'
  /** The same touch several times in a row: counts each time (the default), or once. */
  collapse?: 'none' | 'consecutive'
  /** How far apart two equal touches in a row may be to collapse. */
  collapseWithin?: Duration
  /** Direct visits: touches like others (the default), or left out of journeys that have another touch. */
  direct?: 'keep' | 'ignore_unless_alone'
  /** Channels that are direct visits, in any case. Default `["direct", "(direct)"]`. */
  directLabels?: readonly string[]
  /** Rows with nulls, NaN or negative amounts. Default `"error"`. */
  onInvalid?: OnInvalid
  /** The unit of times that are plain numbers; without it they are an error. */
  timeUnit?: TimeUnit
  /** Conversions of negative value: an error (the default), or kept, lowering the value of their touches' channels. */
  refunds?: 'error' | 'keep'
}

/** Columns and policies of a `JourneyBuilder`: those of `Journeys.fromEvents`. */
export interface BuilderOptions extends Omit<EventOptions, 'conversions'> {
  /** The name of a flag column in the touches, where conversions are not frames of their own. */
  conversions?: string
}

/** Columns of `Journeys.fromPaths`. */
export interface PathOptions {
  /** Column of the path. Default `"path"`. */
  path?: string
  /** Column of how many conversions the row counts for; `null`: one each. Default `"conversions"`. */
  conversions?: string | null
  /** Column of the value of all the row's conversions. */
  value?: string
  /** Column of how many open journeys took this path. */
  nulls?: string
  /** What stands between two channels. Default `" > "`. */
  sep?: string
  /** Rows with nulls, NaN or negative amounts. Default `"error"`. */
  onInvalid?: OnInvalid
  /** Conversions of negative value: an error (the default), or kept, lowering the value of their touches' channels. */
  refunds?: 'error' | 'keep'
}

export declare namespace Journeys {
  /**
   * Journeys from a frame of touches, and conversions as a second frame or as a
   * flag column of the first. Without either, all journeys are open.
   */
  function fromEvents(touches: FrameInput, options?: EventOptions & RunOptions): Promise<Journeys>
}

export interface Journeys {
  /** Distinct paths: path, touches, conversions, value, nulls, conversion_rate. */
  paths(options?: RunOptions): Promise<Frame>
  /** What follows what: from, to, count, probability. */
  transitions(options?: TransitionOptions & RunOptions): Promise<Frame>
  /** How long conversions took: days, conversions, value. */
  lags(options?: RunOptions): Promise<Frame>
  /** How long journeys are: touches, conversions, value, nulls. */
  lengths(options?: RunOptions): Promise<Frame>
  /** Channels: channel, touches, conversions and value of the journeys they take part in, nulls, cost. */
  channels(options?: RunOptions): Promise<Frame>
  /** One row of totals. */
  summary(options?: RunOptions): Promise<Frame>
  /**
   * How many get from step to step: group, step, name, count, from_previous and
   * from_first with intervals, dropped, undecided (those of them whose journey was
   * not over yet; missing without times), days_p50, total_days_p50, … `extras.dropoff` tells where those who stopped at a step went next.
   */
  funnel(steps: readonly ChannelSet[], options?: FunnelOptions & RunOptions): Promise<Frame>
  /** Where journeys are at each step: step, channel, count, share. */
  stepMatrix(options?: StepMatrixOptions & RunOptions): Promise<Frame>
  /**
   * The transition graph: from, to, count, p_out, p_in, journeys, journey_share,
   * customers. `extras.nodes`; `extras.hidden` counts the edges left out.
   */
  graph(options?: GraphOptions & RunOptions): Promise<Frame>
  /**
   * How the graphs of two groups differ, the most surprising edge first: of these
   * journeys and others, or, without others, of those that convert and those that do not.
   */
  graphDifference(other?: Journeys, options?: GraphDifferenceOptions & RunOptions): Promise<Frame>
  /**
   * Kaplan–Meier from the first touch to the conversion: group, days, at_risk, events,
   * censored, survival, std_error, low, high. `extras.quantiles`, `extras.groups`.
   */
  timeToConvert(options?: TimeToConvertOptions & RunOptions): Promise<Frame>
  /** The same in touches. */
  pathLength(options?: PathLengthOptions & RunOptions): Promise<Frame>
  /** How often channels open, assist and close conversions, and with what value. */
  assisted(options?: AssistedOptions & RunOptions): Promise<Frame>
  /** Channels in the first quarter, the middle and the last quarter of converting paths, as in GA4. */
  positions(options?: RunOptions): Promise<Frame>
  /** Sets of channels that meet on a path: journeys, conversion_rate, expected_rate, synergy, …, lift, jaccard. */
  overlap(options?: OverlapOptions & RunOptions): Promise<Frame>
  /** What crosses from online channels to offline ones (by default those of the build), and back: from, to, journeys, share, conversions, … */
  onlineOffline(offline?: ChannelSet, options?: RunOptions): Promise<Frame>
  /**
   * After which touch people leave more often than others at their step: channel, visits, exits,
   * exit_rate, expected_rate, excess, risk_ratio, low, high, z, p_value, q_value. `extras.transitions`.
   */
  friction(options?: FrictionOptions & RunOptions): Promise<Frame>
  /**
   * Who took such a path, what they did on it, and whether they convert more often. A pattern is elements
   * joined by `->`: `email` (or `"a -> b"`, quoted), `.` any touch, `[search|social]` any of these,
   * `[^direct]` any other, each of the last and what is quoted with `*`, `+` or `?` after it; `(start)` first,
   * `(conversion)`, `(null)` last. `ad -> search` is one right after the other, `ad -> .* -> search` with
   * anything between. Columns: group, pattern, count, share, conversions, conversion_rate, others_rate,
   * risk_ratio, low, high, z, p_value, q_value, occurrences, days_p50, … `extras.matches`: group, pattern,
   * path (the steps of the first match), count, conversions.
   */
  patterns(patterns: string | readonly string[], options?: PatternOptions & RunOptions): Promise<Frame>
  /** Stretches of touches that recur, the commonest first: sequence, length, and the columns of `patterns`. */
  sequences(options?: SequenceOptions & RunOptions): Promise<Frame>
  /**
   * What tells one path from another, to cluster by: customer (or journey), touches, days, conversions,
   * nulls, `channel_<label>` of each channel, `pair_<from> > <to>` of each transition.
   */
  features(options?: FeatureOptions & RunOptions): Promise<Frame>
  /** The share of each channel's conversions by days since its touch: channel, days, conversions, share. */
  lagCurves(options?: LagCurveOptions & RunOptions): Promise<Frame>
  /**
   * A report of these journeys, by the name of its method, with `_standard_error`, `_low` and
   * `_high` after each number that it counts. Customers are drawn again (1,000 samples by default): one that is
   * drawn twice is two customers, with all of their journeys; journeys from paths are drawn one by one. Numbers
   * with an interval of their own (Wilson's, Greenwood's, of synergies and ratios of rates) keep it, and have no
   * other. `extras` has the frames beside it.
   */
  bootstrap<Name extends keyof ReportOptions>(
    name: Name,
    options?: ReportOptions[Name] & BootstrapOptions & RunOptions,
  ): Promise<Frame>
  /**
   * The credit of each touch of each converting journey: journey, position,
   * customer, time, channel, campaign (where it was read), conversion_time, conversions, value.
   */
  touchCredits(model: AttributionModel, options?: RunOptions): Promise<Frame>
  /** How long journeys were followed: journey, customer, first_touch, end, converted, decided. */
  durations(options?: RunOptions): Promise<Frame>
  /** What was merged or left out when the journeys were built: step, count. */
  accounting(options?: RunOptions): Promise<Frame>
  /** The journeys that end in a conversion of one kind, and the open ones. */
  ofKind(kind: string, options?: RunOptions): Promise<Journeys>
  /** The journeys that ended from `start` up to but without `end`. */
  between(start: Date | string, end: Date | string, options?: RunOptions): Promise<Journeys>
  /** The journeys of these customers: a list of them, or a frame with a column `customer`. */
  ofCustomers(customers: readonly (string | number)[] | FrameInput, options?: RunOptions): Promise<Journeys>
  /**
   * The same journeys whose channels are `channel / campaign`, each with the cost of its touches (missing in parts of
   * journeys, and after `transform` and `rollUp`). No channel may hold the `separator` (default `"/"`), for then labels
   * could not be taken apart again: give another, and the same one to `rollUp` and `drillDown`.
   */
  byCampaign(options?: { separator?: string } & RunOptions): Promise<Journeys>
  /**
   * The journeys after these steps, one after another. Every step keeps all
   * conversions, values and nulls; a conversion that loses its last touch
   * becomes one without a touch.
   */
  transform(steps: readonly Transform[], options?: RunOptions): Promise<Journeys>
  /** The journeys whose path holds a pattern, or with `invert` the others; see `patterns`. */
  matching(pattern: string, options?: MatchingOptions & RunOptions): Promise<Journeys>
  /** The same journeys on the level of channels, where they have campaigns as channels. */
  rollUp(options?: HierarchyOptions & RunOptions): Promise<Journeys>
  /** The journeys with a segment for each customer (columns `customer` and `segment`), for `split`. */
  withSegments(segments: FrameInput, options?: { customer?: string; segment?: string } & RunOptions): Promise<Journeys>
  /**
   * The journeys with what their customers are predicted to be worth as the value of their conversions: a frame
   * with one row a customer. `mode`: which conversions carry it, the first one being that of these journeys (take
   * `between` and `ofKind` afterwards); `missing`: customers who converted and are not there; `onInvalid`: rows with
   * nulls, NaN or negative amounts, and customers who come again.
   */
  withLifetime(
    lifetime: FrameInput,
    options?: {
      customer?: string
      value?: string
      mode?: 'first_conversion' | 'every'
      missing?: 'error' | 'zero'
      onInvalid?: 'error' | 'drop'
    } & RunOptions,
  ): Promise<Journeys>
  /**
   * The journeys with what is left of value as the value of their conversions, for every report and model: `rate`
   * (0.4 for 40 %), or in its place one for kinds of conversions. Leave the `margin` of `money` at 1 then.
   */
  withMargin(options: { rate?: number; byKind?: Record<string, number> } & RunOptions): Promise<Journeys>
  /** The journeys of each segment by its label; those without come last, under `(none)`. */
  split(options?: RunOptions): Promise<Record<string, Journeys>>
}

/** A step of `Journeys.transform`: its name, or an object with parameters. */
export type Transform =
  | 'unique'
  | 'exposure'
  | 'first'
  | 'frequency'
  | 'ignore_direct'
  | 'sessions'
  /** Nothing is changed; the first touch of every channel; the same, labelled `channel(n)`. */
  | { step: 'unique' | 'first' | 'frequency' }
  /** One touch of every run of a channel: the first (the default), or the last. */
  | { step: 'exposure'; keep?: 'first' | 'last' }
  /** Touches of these channels go: at the end unless all are; unless all are; always; or those of all others. */
  | {
      step: 'remove_if_last_and_not_all' | 'remove_if_not_all' | 'exclude' | 'include_only'
      channels: readonly string[]
    }
  /** The last `steps` touches. */
  | { step: 'trim_long_path'; steps: number }
  /** Direct touches go, unless all are direct. Default `["direct", "(direct)"]`. */
  | { step: 'ignore_direct'; direct?: readonly string[] }
  /** Channels get the labels of their groups. */
  | { step: 'merge'; channels: Readonly<Record<string, readonly string[]>> }
  /** Channels below a share of all touches get one label, by default `"other"`. */
  | { step: 'merge_rare'; minShare: number; into?: string }
  /** A touch goes where its channel has one less than `gap` before it. */
  | { step: 'collapse'; gap: Duration }
  /** One touch of every session; `gap` is by default `"30m"`, `keep` `"first"`. */
  | {
      step: 'sessions'
      gap?: Duration
      keep?: 'first' | 'last' | 'first_non_direct' | 'last_non_direct'
      direct?: readonly string[]
    }

/** Which channel a label of channel and campaign belongs to. */
export interface HierarchyOptions {
  /** What stands between channel and campaign. Default `"/"`. */
  separator?: string
  /** Labels by the channel that they belong to, whatever they look like. */
  channels?: Readonly<Record<string, readonly string[]>>
}

/**
 * Credits of campaigns by channel: model, channel, campaign, conversions, value,
 * share_of_channel, and where cost is known cost, roas, cpa. `credits` is what
 * `attribute` gives for journeys whose channels are labels such as `search / brand`;
 * with `channelCredits`, those of the journeys rolled up, these are shared out
 * over campaigns in proportion. The campaigns of a channel add up to it.
 */
export declare function drillDown(
  credits: FrameInput,
  options?: { channelCredits?: FrameInput } & HierarchyOptions & RunOptions,
): Promise<Frame>

/** Options of `attributeLevels`. */
export interface LevelOptions extends HierarchyOptions, BootstrapOptions {
  /**
   * Whether channels have the credits of journeys that are rolled up (the default), their campaigns sharing them
   * out; else they have what their campaigns have. To rules it is the same.
   */
  ownChannels?: boolean
}

/**
 * Credits by channel and campaign, with intervals on both: what `drillDown` gives for these journeys (whose
 * channels are labels such as `search / brand`) and the same rolled up, and the same in every sample. With a
 * bootstrap conversions, value and share_of_channel are followed by their `_standard_error`, `_low` and `_high`,
 * roas and cpa by the last two.
 */
export declare function attributeLevels(
  journeys: Journeys,
  models: AttributionModels,
  options?: LevelOptions & RunOptions,
): Promise<Frame>

/** What a condition of a channel rule looks at. */
export type ChannelField =
  | 'source'
  | 'medium'
  | 'campaign'
  | 'term'
  | 'content'
  | 'source_category'
  | 'referrer_host'
  | 'landing_host'
  | 'landing_path'
  | 'click_id'
  | 'ad_network'
  | 'creative_format'
  | 'account_type'

/** When a channel rule applies: a test of a field with one operator, or a tree of tests. Case does not count. */
export type ChannelCondition =
  | { all: readonly ChannelCondition[] }
  | { any: readonly ChannelCondition[] }
  | { not: ChannelCondition }
  | ({ field: ChannelField; caseSensitive?: boolean } & (
      | { equals: string }
      | { oneOf: readonly string[] }
      /** A regular expression, found anywhere unless it is anchored. */
      | { matches: string }
      | { startsWith: string }
      | { endsWith: string }
      | { contains: string }
    ))

/** The channel of visits for which a condition holds. */
export interface ChannelRule {
  /** The channel. */
  channel: string
  /** When. */
  when: ChannelCondition
}

/** What `ChannelRules` are made of. */
export interface ChannelRulesOptions {
  /** The rules in their order. Default: the default channel group of Google Analytics 4. */
  rules?: readonly ChannelRule[]
  /** The channel of visits that no rule takes. Default `"Unassigned"`. */
  default?: string
  /**
   * Categories (`search`, `social`, `shopping`, `video`, `ai_assistant`, or words of
   * one's own) by source: a host with all below it, or a name as in `utm_source`.
   */
  sources?: Readonly<Record<string, string>>
  /** Whether the few hundred well-known sources count too. Default true. */
  knownSources?: boolean
  /** What click ids stand for, by parameter. */
  clickIds?: Readonly<Record<string, { source: string; medium: string }>>
  /** Whether the well-known click ids count too. Default true. */
  knownClickIds?: boolean
  /** Hosts of one's own; the landing page's host is one anyhow. */
  ownHosts?: readonly string[]
  /** Visits referred by an own host: go on without a channel (the default), are direct, or referred. */
  internal?: 'continue' | 'direct' | 'referral'
  /** Whether UTM parameters (the default) or the id of a paid click count first. */
  precedence?: 'utm' | 'click_id'
  /** Writes source, medium and campaign in small letters. Default false. */
  lowerCase?: boolean
}

/** Columns and rules of `groupChannels`; at least one column must be named. */
export interface ChannelOptions {
  /** Column of the landing page's address. */
  landingPage?: string
  /** Column of the referrer's address. */
  referrer?: string
  /** Column of the source, where it was read before. */
  source?: string
  /** Column of the medium, where it was read before. */
  medium?: string
  /** Column of the campaign, where it was read before. */
  campaign?: string
  /** Columns of click ids by parameter. */
  clickIds?: Readonly<Record<string, string>>
  /** Column of Google Ads' ad network type. */
  adNetwork?: string
  /** Column of Display & Video 360's creative format. */
  creativeFormat?: string
  /** Column of Search Ads 360's engine account type. */
  accountType?: string
  /** The rules. Default: those of Google Analytics 4. */
  rules?: ChannelRules | ChannelRulesOptions
  /** Hosts of one's own, besides those of the rules. */
  ownHosts?: readonly string[]
}

/** What is known of one visit; all of it may be missing. */
export interface Visit {
  /** The address of the first page. */
  landingPage?: string | null
  /** The address that the visitor came from. */
  referrer?: string | null
  /** The source, where it was read before; it wins over addresses. */
  source?: string | null
  /** The medium, where it was read before. */
  medium?: string | null
  /** The campaign, where it was read before. */
  campaign?: string | null
  /** The parameter of a click id that was read before, `"gclid"`. */
  clickId?: string | null
  /** Google Ads: ad network type. */
  adNetwork?: string | null
  /** Display & Video 360: creative format. */
  creativeFormat?: string | null
  /** Search Ads 360: engine account type. */
  accountType?: string | null
}

/** A channel, or any of several. */
export type ChannelSet = string | number | readonly (string | number)[]

/** Options of `Journeys.funnel`. */
export interface FunnelOptions {
  /** The longest time from the first step to the last. Default none. */
  window?: Duration
  /**
   * Whether other touches may stand between the steps. Default `"loose"`: they may. With `"any"` the steps come
   * in any order too: step n is reached by those who did n of them.
   */
  order?: 'loose' | 'strict' | 'any'
  /** Channels of which a touch after the first step ends the attempt. Default none. */
  exclude?: readonly (string | number)[]
  /** Each journey on its own (the default), or all touches and conversions of a customer in one line. */
  by?: 'journey' | 'customer'
  /** Each journey or customer once, with the attempt that gets furthest (the default), or every attempt. */
  attempts?: 'best' | 'all'
  /** Whether a channel several times in a row counts once. Default `"keep"`. */
  repeats?: 'keep' | 'collapse'
  /** What the funnel is split by; segments are those of `withSegments`. Default `"none"`. */
  splitBy?: 'none' | 'first_channel' | 'last_channel' | 'segment'
  /** Quantiles of the times between steps. Default 0.5 and 0.9. */
  quantiles?: readonly number[]
  /** What the intervals of the rates cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.stepMatrix`. */
export interface StepMatrixOptions {
  /** How many steps from the anchor on; backward from the end. Default 10. */
  steps?: number
  /** How many steps before the channel or the pattern that anchors. Default 3. */
  before?: number
  /** Steps are counted from the first touch (1), the end (0), a touch of `channel` or a match of `pattern` (0). Default `"start"`. */
  anchor?: 'start' | 'end' | 'channel' | 'pattern'
  /** The channel that anchors. */
  channel?: ChannelSet
  /** The pattern that anchors, as in `patterns`. */
  pattern?: string
  /** Which touch of the channel, or which match. Default `"first"`. */
  occurrence?: 'first' | 'last'
  /** Which journeys count. Default `"all"`. */
  weights?: 'all' | 'conversions' | 'nulls'
  /** Whether a channel several times in a row is one step. Default `"keep"`. */
  repeats?: 'keep' | 'collapse'
}

/** Options of `Journeys.patterns`. */
export interface PatternOptions {
  /** Each journey on its own (the default), or all touches and conversions of a customer in one line. */
  by?: 'journey' | 'customer'
  /** The longest time from the first step of a match to its last touch or conversion. Default none. */
  within?: Duration
  /** Whether a channel several times in a row counts once. Default `"keep"`. */
  repeats?: 'keep' | 'collapse'
  /** What the report is split by; segments are those of `withSegments`. Default `"none"`. */
  splitBy?: 'none' | 'first_channel' | 'last_channel' | 'segment'
  /** How many of the commonest matches to tell. Default 10. */
  matches?: number
  /** Quantiles of the time that a match takes. Default 0.5 and 0.9. */
  quantiles?: readonly number[]
  /** What the intervals cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.matching`. */
export interface MatchingOptions {
  /** The longest time from the first step of a match to its last touch or conversion. Default none. */
  within?: Duration
  /** Whether a channel several times in a row counts once. Default `"keep"`. */
  repeats?: 'keep' | 'collapse'
  /** Keeps the journeys that do not match instead. Default false. */
  invert?: boolean
}

/** Options of `Journeys.sequences`. */
export interface SequenceOptions {
  /** The shortest stretches, in touches. Default 2. */
  minLength?: number
  /** The longest, 20 at most. Default 3. */
  maxLength?: number
  /** Stretches on fewer journeys are left out. Default 20. */
  minCount?: number
  /** Whether a channel several times in a row counts once. Default `"collapse"`. */
  repeats?: 'collapse' | 'keep'
  /** What the intervals cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.features`. */
export interface FeatureOptions {
  /** One row a customer (the default), or one a journey. */
  by?: 'customer' | 'journey'
  /** Of each channel its share of the touches (the default), how often it occurs, or whether it does. */
  measure?: 'share' | 'count' | 'binary'
  /** Whether to tell of each transition from channel to channel, too. Default false. */
  transitions?: boolean
  /** Whether a channel several times in a row counts once. Default `"keep"`. */
  repeats?: 'keep' | 'collapse'
}

/** Options of `Journeys.graph`. */
export interface GraphOptions {
  /** Edges that a smaller share of the journeys takes are left out, and counted. Default 0. */
  minShare?: number
  /** Whether a channel several times in a row counts once. Default `"collapse"`. */
  repeats?: 'collapse' | 'keep'
  /** Which journeys count. Default `"all"`. */
  weights?: 'all' | 'conversions' | 'nulls'
}

/** Options of `Journeys.graphDifference`. */
export interface GraphDifferenceOptions {
  /** Edges that a smaller share of either group takes are left out. Default 0. */
  minShare?: number
  /** Whether a channel several times in a row counts once. Default `"collapse"`. */
  repeats?: 'collapse' | 'keep'
}

/** Options of `Journeys.pathLength`. */
export interface PathLengthOptions {
  /** What the curves are split by; segments are those of `withSegments`. Default `"none"`. */
  splitBy?: 'none' | 'first_channel' | 'last_channel' | 'segment'
  /** Shares of journeys that have converted. Default 0.25, 0.5, 0.75, 0.9. */
  quantiles?: readonly number[]
  /** What the intervals cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.timeToConvert`. */
export interface TimeToConvertOptions extends PathLengthOptions {
  /** Until when an open journey is known not to have converted. Default `"observation_end"`. */
  censorAt?: 'observation_end' | 'last_touch'
  /** An open journey is watched for at most this long after its last touch. Default: as long as the windows of the build. */
  lookback?: Duration
  /** The end of observation. Default: that of the build. */
  observationEnd?: Date | string
  /** The curve at multiples of this alone. Default: at every time of a conversion. */
  grid?: Duration
}

/** Options of `Journeys.assisted`. */
export interface AssistedOptions {
  /** A channel assists where another closes (the default), or wherever it stands before the last touch. */
  assist?: 'not_last' | 'any_earlier'
}

/** Options of `Journeys.overlap`. */
export interface OverlapOptions {
  /** How many channels a set holds: 2 (the default) or 3. */
  size?: number
  /** The channels to combine. Default: all. */
  channels?: ChannelSet
  /** Sets on fewer journeys are left out. Default 10. */
  minJourneys?: number
  /** What the intervals cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.friction`. */
export interface FrictionOptions {
  /** Touches from this one on are one stratum. Default 20. */
  maxStep?: number
  /** Channels and transitions with fewer touches are left out. Default 20. */
  minVisits?: number
  /** Whether to test transitions too. Default true. */
  transitions?: boolean
  /**
   * How long after its last touch an open journey is over: one that is not over by the end of observation has
   * not left yet, and its last touch does not count. Default: as long as the windows of the build; with `"0d"`
   * every open journey is over.
   */
  lookback?: Duration
  /** The end of observation. Default: that of the build. */
  observationEnd?: Date | string
  /** What the intervals cover. Default 0.95. */
  level?: number
}

/** Options of `Journeys.lagCurves`. */
export interface LagCurveOptions {
  /** The first (the default) or the last touch of the channel in the journey. */
  fromTouch?: 'first' | 'last'
  /** The distance of the curve's points. Default `"1d"`. */
  grid?: Duration
  /** Where the curves end. Default: at the longest lag. */
  longest?: Duration
}

/** The reports that `Journeys.bootstrap` takes, and the options of each. */
export interface ReportOptions {
  paths: object
  transitions: TransitionOptions
  lags: object
  lengths: object
  channels: object
  summary: object
  /** `steps` are options here. */
  funnel: FunnelOptions & { steps: readonly ChannelSet[] }
  stepMatrix: StepMatrixOptions
  graph: GraphOptions
  /** Of those that convert and those that do not. */
  graphDifference: GraphDifferenceOptions
  timeToConvert: TimeToConvertOptions
  pathLength: PathLengthOptions
  assisted: AssistedOptions
  positions: object
  overlap: OverlapOptions
  /** `offline` is an option here. */
  onlineOffline: { offline?: ChannelSet }
  friction: FrictionOptions
  lagCurves: LagCurveOptions
  /** `patterns` are options here. */
  patterns: PatternOptions & { patterns: string | readonly string[] }
  sequences: SequenceOptions
}

/** Options of `Journeys.transitions`. */
export interface TransitionOptions {
  /** How many channels a state remembers; the more channels there are, the fewer it can. Default 1. */
  order?: number
  /** The same state several times in a row: counts once (the default), or each time. */
  repeats?: 'collapse' | 'keep'
}

/** The parameters of a `Markov` model. */
export interface MarkovOptions {
  /** How many channels the chain remembers; 16 of 12 channels, 8 of 100. Default 1. */
  order?: number
  /** The same state several times in a row; changes the transitions, not the removal effects. */
  repeats?: 'collapse' | 'keep'
  /**
   * What removing a channel means. `null`: whoever would come to it is lost; `reconnect`: they take one of
   * the other ways; `skip`: its touches are left out of every journey; `fail`: journeys with it do not
   * convert; `fail_refit`: the same, and journeys of it alone are not counted. Default `"null"`.
   */
  removal?: 'null' | 'reconnect' | 'skip' | 'fail' | 'fail_refit'
  /** How effects become credit: all conversions at once (default), or each journey's over its own touches. */
  split?: 'removal' | 'journey'
  /** Negative effects in the split of all conversions: counted as 0 (default), or negative credit. */
  negative?: 'clamp' | 'keep'
}

/** What `Markov.jointEffects` removes. */
export interface JointOptions {
  /** Channels to remove together. */
  sets?: string[][]
  /** Channels to remove where each is touched right after the one before; up to order + 1 of them. */
  sequences?: string[][]
}

/** The worth of one coalition of channels. */
export interface CoalitionWorth {
  channels: string[]
  worth: number
  /** What it earns in value; `worth` where there is none. */
  value?: number
}

/** The parameters of a `Shapley` model. */
export interface ShapleyOptions {
  /**
   * What a coalition of channels earns. `conversions` (default): those of journeys whose channels all lie
   * in it; `rate`: the share of those journeys that convert; `exact_set_rate`, `exact_set_conversions`: the
   * same of journeys with exactly its channels; `journey_rate`: as exact_set_rate, in a game of its own for
   * each journey; `table`: what `worths` says.
   */
  worth?: 'conversions' | 'rate' | 'exact_set_rate' | 'exact_set_conversions' | 'journey_rate' | 'table'
  /** The coalitions of the worth `table`. */
  worths?: CoalitionWorth[]
  /** What a coalition is worth of which nothing is known. Default `"zero"`. */
  missing?: 'zero' | 'nearest_subset' | 'error'
  /** Random orders of the channels, for the worth `rate` with more than 25 channels. Default 4096. */
  samples?: number
  /** Negative values in the split of conversions: negative credit (default), or counted as 0. */
  negative?: 'keep' | 'clamp'
}

/** Options of `chooseOrder`. */
export interface OrderOptions {
  /** The highest order to try. Default 5. */
  maxOrder?: number
  /**
   * What the best order is chosen by: the highest log-likelihood of journeys held out (default), the lowest
   * AIC or BIC, or ChannelAttribution's penalised AUC.
   */
  criterion?: 'held_out' | 'aic' | 'bic' | 'auc'
  /** In how many parts journeys are held out; 0 for not at all. Default 5. */
  folds?: number
}

/**
 * Compares Markov chains of the orders 1 to `maxOrder`: order, states, parameters, log_likelihood, aic, bic,
 * held_out_log_likelihood, held_out_se (of its distance to the highest), auc, pauc, chosen.
 */
export declare function chooseOrder(journeys: Journeys, options?: OrderOptions & RunOptions): Promise<Frame>
/** Samples of customers that are drawn again for intervals. */
export interface BootstrapOptions {
  /** How many; 0 for none. Default 0. */
  bootstrap?: number
  /** The share of samples inside an interval. Default 0.9. */
  confidence?: number
  /** Quantiles of the samples (the default); those mirrored at the estimate; or standard errors either way. */
  interval?: 'percentile' | 'basic' | 'normal'
}

/** Options of `attribute`. */
export interface AttributeOptions extends BootstrapOptions {
  /** What customers are worth, one row each: conversions then carry it as their value. */
  lifetime?: FrameInput
  /** Column of `lifetime`: the customer. Default `"customer"`. */
  lifetimeCustomer?: string
  /** Column of `lifetime`: the value. Default `"lifetime_value"`. */
  lifetimeValue?: string
  /** Which of a customer's conversions carry it. Default `"first_conversion"`. */
  lifetimeMode?: 'first_conversion' | 'every'
  /** Customers who converted and are not in the frame. Default `"error"`. */
  lifetimeMissing?: 'error' | 'zero'
}

/** One model or several. */
export type AttributionModels = AttributionModel | readonly AttributionModel[]

/**
 * Splits the conversions of journeys over channels, by each of the models:
 * model, channel, conversions, value; and where cost is known: cost, roas, cpa.
 * With a bootstrap also share, and `_low` and `_high` of each.
 * `extras.removalEffects` has those of the Markov models, with a bootstrap each followed by its
 * `_standard_error`, `_low` and `_high`; `extras.ignoredWeights`, where touches weigh differently,
 * the models that know no weights (Shapley values and what is fitted) and the conversions where that matters.
 */
export declare function attribute(
  journeys: Journeys,
  models: AttributionModels,
  options?: AttributeOptions & RunOptions,
): Promise<Frame>

/** A frame of spend, and its columns. */
export interface SpendOptions {
  /**
   * One row a channel and day; by default the cost of the touches. Dated spend
   * outside the time of the journeys (what `between` cut, else from the month of
   * the first event to the end of observation) is left out, and counted.
   */
  spend?: FrameInput
  /** Column of `spend`: the channel. Default `"channel"`. */
  channel?: string
  /** Column of `spend`: the day; without periods it may be missing. Default `"date"`. */
  date?: string
  /** Column of `spend`: the amount. Default `"spend"`. */
  amount?: string
  /** Rows with nulls, NaN or negative amounts. Default `"error"`. */
  onInvalid?: OnInvalid
  /** The unit of dates that are plain numbers. */
  timeUnit?: TimeUnit
}

/** What models of attribution report, by name. */
export type Statistic =
  | 'removal_effects'
  | 'joint_effects'
  | 'transitions'
  | 'states'
  | 'values'
  | 'positions'
  | 'dividends'
  | 'synergies'
  | 'coefficients'
  | 'contributions'
  | 'rates'
  | 'effects'
  | 'incremental'
  | 'touch_credits'

/**
 * What a fitted model reports, with `_standard_error`, `_low` and `_high` after each estimate. Customers are drawn
 * again (1,000 samples by default), and each sample has a model of its own. Of `Markov` removal_effects,
 * joint_effects (with `sets` and `sequences`), transitions, states (and `extras.channels`); of `Shapley` values,
 * positions, dividends (the `top` largest, 100), synergies; of `Logistic` coefficients, of `ShaoLi` contributions, of
 * `PathCounterfactual` rates, of `TimeToEvent` and `AdditiveHazard` effects; of those that know a baseline incremental;
 * of any model touch_credits, the journeys being as they are.
 */
export declare function bootstrap(
  journeys: Journeys,
  model: AttributionModel,
  statistic: Statistic,
  options?: JointOptions & { top?: number } & BootstrapOptions & RunOptions,
): Promise<Frame>

/** What is compared: shares of all conversions (the default) or of all value, conversions, value. */
export type CreditMetric = 'share' | 'conversions' | 'value' | 'value_share'

/**
 * What differs between models, or (with `other`) between two periods: model,
 * other_model, channel, credit, other_credit, difference, low, high,
 * p_adjusted, p. Samples: 1,000 by default. With `roas` and `cpa` these stand
 * in place of credits, and are missing where they have no meaning.
 */
export declare function difference(
  journeys: Journeys,
  models: AttributionModels,
  options?: {
    other?: Journeys
    metric?: CreditMetric | 'roas' | 'cpa'
    /**
     * As in `money`: each model is there as `calibrated(model)` too. With `other` each period is calibrated by the
     * tests of which more ran in it, by their start and end.
     */
    liftTests?: FrameInput
    /** Options of `calibrate` for them. */
    calibration?: CalibrationOptions
  } & SpendOptions &
    BootstrapOptions &
    RunOptions,
): Promise<Frame>

/** Options of `selfControlled`. */
export interface SelfControlledOptions {
  /** Half-lives that an effect may have. Default: 27 from 6 hours to 45 days. */
  halfLives?: Duration[]
  /** What each earlier touch may take from a touch. Default: 10 from 0 to 0.7; `[0]` for none. */
  wear?: number[]
  /** For how long an earlier touch counts as one. Default 30 days. */
  wearWindow?: Duration
  /**
   * For how long touches of one channel may make those of another do more; pairs of channels of which that is so
   * are found. Default 7, 14 and 30 days; `[]` to look for no pairs.
   */
  primingWindows?: Duration[]
  /** How often channels touch is taken as even over so long a time. Default 7 days. */
  calendar?: Duration
  /** Channels that people touch because they are about to buy, or that follow such touches: left out. */
  exclude?: string[]
  /** The share of an interval. Default 0.9. */
  confidence?: number
  /** The end of observation. Default: the last event there is. */
  observationEnd?: Date | string
}

/**
 * What each channel added, every customer compared with themselves: channel,
 * touches, per_touch, per_touch_se, half_life (days), wear, conversions,
 * standard_error, low, high, share, note. `extras.profile` has the effect by age, `extras.priming` the pairs of
 * channels that were found to work through each other: primer, channel, window (days), factor, conversions,
 * standard_error, low, high. What a channel added is what would be lost without it: what primed touches did more
 * stands with both. Errors and bounds are of what was added, not of what was to be expected.
 * When a customer was touched, given how often, is taken as chance; leave out
 * channels that people touch because they are about to buy. Journeys that lack
 * touches (`open` of `exclude` or `decided`, `between`) are refused.
 */
export declare function selfControlled(
  journeys: Journeys,
  options?: SelfControlledOptions & RunOptions,
): Promise<Frame>

/** Options of `calibrate`. */
export interface CalibrateOptions {
  /**
   * One row a test: channel, start, end (excluded), effect, standard_error,
   * perhaps metric. Journeys must cover half of a test's period or more.
   */
  liftTests: FrameInput
  /** Calibrates the estimate of `selfControlled` as well. Default false. */
  selfControlled?: boolean | SelfControlledOptions
  /** What is calibrated. Default `"conversions"`. */
  metric?: 'conversions' | 'value'
  /** Channels without a test. Default `"shrink"`: a factor from the spread of the tested ones; estimates of `selfControlled` are joined with the tests by their errors. */
  untested?: 'shrink' | 'proportional' | 'none'
  /** Samples for the error of the credits themselves. Default 0. */
  bootstrap?: number
  /** The share of an interval. Default 0.9. */
  confidence?: number
  /** Column of `liftTests`: the channel. Default `"channel"`. */
  channel?: string
  /** Column of `liftTests`: the first instant. Default `"start"`. */
  start?: string
  /** Column of `liftTests`: the end, excluded. Default `"end"`. */
  end?: string
  /** Column of `liftTests`: incremental conversions or value. Default `"effect"`. */
  effect?: string
  /** Column of `liftTests`: its standard error. Default `"standard_error"`. */
  standardError?: string
  /** Column of `liftTests`: what was measured, where there is one. Default `"metric"`. */
  metricColumn?: string
  /** Rows with nulls or NaN. Default `"error"`. */
  onInvalid?: OnInvalid
  /** The unit of times that are plain numbers. */
  timeUnit?: TimeUnit
}

/**
 * Credits that honour experiments, and what moved: model, channel,
 * uncalibrated, factor, calibrated, standard_error, low, high, share, source,
 * tests. What is left of all conversions is `(baseline)`. `extras` has `tests`,
 * `pooling` and `centre`.
 */
export declare function calibrate(
  journeys: Journeys,
  models: AttributionModels,
  options: CalibrateOptions & RunOptions,
): Promise<Frame>

/** How `money`, `compare`, `difference` and `drift` read lift tests, and what they do with channels without one. */
export type CalibrationOptions = Omit<CalibrateOptions, 'liftTests' | 'metric' | 'bootstrap' | 'confidence'>

/** Options of `money`. */
export interface MoneyOptions extends SpendOptions, BootstrapOptions {
  /** What is left of value when the goods are paid for. Default 1. */
  margin?: number
  /** Whether stretches of time have rows of their own; with a bootstrap every model is then fitted to each sample. Default `"all"`. */
  period?: 'all' | 'day' | 'week' | 'month'
  /**
   * As in `calibrate`: the rows of each model are followed by those of `calibrated(model)`, with the intervals of
   * the calibration; not together with a period. Tests of value calibrate value; without one a channel's value for
   * a conversion stays as the model has it.
   */
  liftTests?: FrameInput
  /** Options of `calibrate` for them. */
  calibration?: CalibrationOptions
}

/**
 * Spend beside what it earned: model, (period,) channel, spend, conversions,
 * value, spend_share, credit_share, cpa, roas, (their intervals,) note.
 * `extras.counts` has channels with touches alone, with spend alone, with both,
 * and the rows of spend outside the time of the journeys. What no channel brought, of a calibrated model, is the
 * row `(baseline)`.
 */
export declare function money(
  journeys: Journeys,
  models: AttributionModels,
  options?: MoneyOptions & RunOptions,
): Promise<Frame>

/** Options of `chooseLookback` and `chooseHalfLife`. */
export interface ChooseOptions {
  /** The candidates. */
  candidates?: Duration[]
  /** How many parts the customers are split into. Default 5. */
  folds?: number
  /** The best score (the default), or the shortest within one standard error of it. */
  rule?: 'best' | 'one_standard_error'
  /** The end of observation. Default: the last event there is. */
  observationEnd?: Date | string
  /** Channels that follow what a customer is about to do anyway: their touches do not count. */
  exclude?: string[]
}

/**
 * Scores lookback windows by how well they tell when held-out customers
 * convert: candidate, days, score (log-likelihood per conversion; 0 says
 * nothing), se, explained, chosen, note (where the best or the chosen candidate
 * is the shortest or the longest: try others). Journeys that lack touches
 * (`open` of `exclude` or `decided`, `between`) are refused.
 */
export declare function chooseLookback(journeys: Journeys, options?: ChooseOptions & RunOptions): Promise<Frame>

/** Scores half-lives of time decay as `chooseLookback` does windows. */
export declare function chooseHalfLife(journeys: Journeys, options?: ChooseOptions & RunOptions): Promise<Frame>

/** Options of `compare`. */
export interface CompareOptions extends BootstrapOptions {
  /** What two or more channels truly brought; those without a row are left out, and shares are among the others. */
  truth?: FrameInput
  /** Column of `truth`: the channel. Default `"channel"`. */
  channel?: string
  /** Column of `truth`: what it brought. Default `"incremental_conversions"`. */
  trueCredit?: string
  /** Parts in which models that predict are held to account; 0 for none. Default 5. */
  folds?: number
  /** Rows of the truth with nulls, NaN or negative amounts. Default `"error"`. */
  onInvalid?: OnInvalid
  /** As in `calibrate`: each model is there as `calibrated(model)` too, but for `predictions`; one model is enough. */
  liftTests?: FrameInput
  /** Options of `calibrate` for them. */
  calibration?: CalibrationOptions
}

/**
 * Sets models side by side: model, other_model, total_variation, kendall,
 * spearman. `extras` has `ranks` (with a bootstrap), `predictions` (of models
 * that predict), `differences` (of their scores, with a bootstrap), `errors` and
 * `truth` (with a truth). With a bootstrap each estimate but ranks is followed by its
 * `_standard_error`, `_low` and `_high`; predictions are not made again.
 */
export declare function compare(
  journeys: Journeys,
  models: readonly AttributionModel[],
  options?: CompareOptions & RunOptions,
): Promise<Frame>

/**
 * What moved beyond noise from an old period to a new one: model, channel, old,
 * new, change, low, high, p, p_adjusted, moved. `extras` has `distributions`
 * and `alerts`. Samples: 1,000 by default.
 */
export declare function drift(
  old: Journeys,
  now: Journeys,
  models: AttributionModels,
  options?: {
    metric?: CreditMetric
    /** The accepted share of false alarms among the alerts. Default 0.05. */
    falseAlarms?: number
    /** The least change that is an alert. Default 0. */
    least?: number
    /** As in `difference`: each model is there as `calibrated(model)` too, by the tests of each period. */
    liftTests?: FrameInput
    /** Options of `calibrate` for them. */
    calibration?: CalibrationOptions
  } & BootstrapOptions & RunOptions,
): Promise<Frame>

/**
 * Credits by weights of one's own: one for each row of `touchCredits`, or a
 * function from a path to the weights of its touches, called once for each
 * distinct path. Gives channel, conversions, value.
 */
export declare function creditsByWeights(
  journeys: Journeys,
  weights: ArrayLike<number> | ((path: string[]) => ArrayLike<number>),
  options?: RunOptions,
): Promise<Frame>

/** Reads a model from a file, or from the bytes of one. */
export declare function load(file: string | Uint8Array, options?: RunOptions): Promise<Model>

export interface FittedModel {
  /** Fits the model to journeys, and resolves to this model. */
  fit(journeys: Journeys, options?: RunOptions): Promise<this>
  /**
   * The credit of each touch of one journey, adding up to 1; takes
   * microseconds. Models that look at times need those of the touches, and
   * take that of the conversion (by default the last touch's).
   */
  score(path: string[], times?: (Date | string | number)[], end?: Date | string | number): number[]
  /**
   * P(conversion) of one journey, as `validate` tests it; takes microseconds.
   * Models that look at times need those of the touches, and tell whether a
   * conversion follows within their `horizon` from `end` on (by default the last
   * touch's time), without one until then. `Shapley` and `ShaoLi` predict
   * nothing, which is an error.
   */
  predict(path: string[], times?: (Date | string | number)[], end?: Date | string | number): number
  /** The model as the bytes of a model file. */
  toBytes(): Uint8Array
  /** Writes the model to a file; `load` reads it back. */
  save(path: string): Promise<void>
}

/**
 * Attribution by the removal effects in a Markov chain of the given order,
 * computed exactly. A model for `attribute` as it is; `fit` keeps the chain.
 */
export declare class Markov extends FittedModel {
  constructor(options?: MarkovOptions)
  /** The channels. */
  get channels(): string[]
  /** The share of conversions lost without each channel, in the order of `channels`. */
  get removalEffects(): number[]
  /** The share of value lost without each channel, in the order of `channels`. */
  get removalEffectsValue(): number[]
  /** The probability that a journey converts. */
  get conversionProbability(): number
  /** The value that a journey brings on average. */
  get valuePerJourney(): number
  /** The transitions: from, to, count, probability. */
  transitions(): Frame
  /**
   * What being at each state means: state, expected_visits, probability, conversion_probability,
   * expected_value, expected_steps, conversion_share. `extras.channels` has the same by channel.
   */
  states(): Frame
  /**
   * The effects of removing several channels at once: kind, channels, removal_effect,
   * removal_effect_value, sum_of_effects.
   */
  jointEffects(options: JointOptions): Frame
}

/**
 * Shapley values of the channels. As it stands, in closed form; a model for `attribute` as it is, and
 * `fit` keeps the game.
 */
export declare class Shapley extends FittedModel {
  constructor(options?: ShapleyOptions)
  /** The channels. */
  get channels(): string[]
  /** Their Shapley values in the unit of the worth, in the order of `channels`. */
  get shapleyValues(): number[]
  /** The values: channel, shapley, shapley_value, standard_error, standard_error_value. */
  values(): Frame
  /** Ordered Shapley values of the worth `conversions`: channel, position, shapley, shapley_value. */
  positions(): Frame
  /** Harsanyi dividends, the largest first (`top`, 100; 0 for all): channels, size, dividend, dividend_value. */
  dividends(options?: { top?: number }): Frame
  /** The Shapley interaction index of each pair: channel, other, synergy, synergy_value. */
  synergies(): Frame
}

/** What the models that learn from journeys with and without a conversion share. */
declare abstract class Learned extends FittedModel {
  /** The channels. */
  get channels(): string[]
  /** How the fit went: name, value. `fallback` counts conversions whose credit is a convention. */
  diagnostics(): Frame
}

/** What the conversion rate of the observed path falls by without the touch (Google's fractribution). */
export declare class PathCounterfactual extends Learned {
  constructor(options?: {
    /** What is done to paths before they are counted. Default `"exposure"`: repeats in a row become one. */
    transform?: 'exposure' | 'unique' | 'first' | 'frequency'
    /** How many journeys at the overall rate each path starts with; null: chosen from `penalties`. Default 0. */
    smoothing?: number | null
    /** What it is chosen from, by held-out likelihood. Default `[0.1, 1, 10, 100]`. */
    penalties?: number[]
    /** Folds of that choice, by customer. Default 5. */
    folds?: number
  })
  /** The transformed paths: path, conversions, nulls, rate. */
  rates(): Frame
  /** What was tried where the penalty was chosen: penalty, held_out_log_likelihood. */
  penalties(): Frame
}

/** Conversion rates of channels, corrected for their pairs (Shao & Li 2011, the simple model). */
export declare class ShaoLi extends Learned {
  constructor(options?: {
    /** Whether the pairs of all journeys count, or those of the journey that is credited. Default `"global"`. */
    scope?: 'global' | 'journey'
    /** How many journeys at the overall rate each channel and each pair starts with; null: chosen. Default 0. */
    smoothing?: number | null
    /** What it is chosen from, by the held-out likelihood of rates. Default `[0.1, 1, 10, 100]`. */
    penalties?: number[]
    /** Folds of that choice, by customer. Default 5. */
    folds?: number
  })
  /** The channels: channel, conversions, journeys, rate, contribution. */
  contributions(): Frame
  /** What was tried where the smoothing was chosen: penalty, held_out_log_likelihood. */
  penalties(): Frame
}

/** Bagged logistic regression on channels (Shao & Li 2011), credited by counterfactual difference. */
export declare class Logistic extends Learned {
  constructor(options?: {
    /** 1 for a channel that the journey has (the default), or ln(1 + how often). */
    features?: 'presence' | 'counts'
    /** Most touches of one channel that count. Default 10. */
    cap?: number
    /** The ridge; chosen from `penalties` by held-out likelihood unless given. */
    penalty?: number | null
    /** Default `[0.1, 1, 10, 100]`. */
    penalties?: number[]
    /** Folds of that choice, by customer. Default 5. */
    folds?: number
    /** Whether coefficients must not be negative. Default true. */
    nonNegative?: boolean
    /** How many bags; 0 fits everything once. Default 20. */
    bags?: number
    /** The share of journeys in a bag. Default 0.5. */
    sampleShare?: number
    /** The share of channels in a bag. Default 0.5. */
    featureShare?: number
    /** Split by what the probability falls by without the channel (the default), or by coefficient times feature. */
    credit?: 'counterfactual' | 'coefficient'
    /** Most Newton steps of a fit. Default 100. */
    maxIterations?: number
  })
  /** The coefficients: channel, coefficient, spread, bags. */
  coefficients(): Frame
  /** What was tried where the penalty was chosen: penalty, held_out_log_likelihood. */
  penalties(): Frame
  /** What would not have happened without touches: channel, credit, incremental credit, and a row `(baseline)`. */
  incremental(): Frame
}

/** A rate of conversion over time that ads raise by their age, credited by backward elimination (Shender et al. 2023). */
export declare class TimeToEvent extends Learned {
  constructor(options?: {
    /** Whether each ad multiplies the rate (the default) or adds to it. */
    link?: 'log' | 'additive'
    /** The upper ends of the buckets of age; an older ad has no effect. Default `["1d", "7d", "14d"]`. */
    ages?: Duration[]
    /** Most touches of one channel in a bucket that count. Default 5. */
    cap?: number
    /** How long an open journey is watched after its last touch. Default `"30d"`. */
    horizon?: Duration
    /** The ridge on effects; null: chosen from `penalties`. Default 1. */
    penalty?: number | null
    /** What it is chosen from, by held-out likelihood. Default `[0.1, 1, 10, 100]`. */
    penalties?: number[]
    /** Folds of that choice, by customer. Default 5. */
    folds?: number
    /** Whether ads can only raise the rate. Default true. */
    nonNegative?: boolean
    /** Whether the baseline's part of a conversion is left out of the split (the default), or split equally. */
    baseline?: 'exclude' | 'share'
    /** Most Newton steps. Default 100. */
    maxIterations?: number
  })
  /** The effects: channel, age_from, age_to, effect, standard_error, touch_days, conversions. */
  effects(): Frame
  /** What was tried where the penalty was chosen: penalty, held_out_log_likelihood. */
  penalties(): Frame
  /** What would not have happened without touches: channel, credit, incremental credit, and a row `(baseline)`. */
  incremental(): Frame
}

/** A rate of conversion that every ad adds to and that decays (Zhang, Wei & Ren 2014), with priors. */
export declare class AdditiveHazard extends Learned {
  constructor(options?: {
    /** Where effects begin, and the mode of their prior; conversions per touch unless given. */
    effect?: number | null
    /** Where mean delays begin, and the mode of their prior. Default `"7d"`. */
    delay?: Duration
    /** How many conversions the prior of effects is worth; null: chosen from `penalties`. Default 1. */
    effectPrior?: number | null
    /** How many conversions the prior of delays is worth; null: chosen, with that of effects. Default 1. */
    decayPrior?: number | null
    /** What they are chosen from, by held-out likelihood. Default `[0.1, 1, 10, 100]`. */
    penalties?: number[]
    /** Folds of that choice, by customer. Default 5. */
    folds?: number
    /** Whether there is a rate without any ad. Default false. */
    baselineHazard?: boolean
    /** Whether the baseline's part of a conversion is left out of the split (the default), or split equally. */
    baseline?: 'exclude' | 'share'
    /** How long an open journey is watched after its last touch. Default `"30d"`. */
    horizon?: Duration
    /** How the likelihood is maximised. Default `"newton"`. */
    method?: 'newton' | 'em'
    /** Most steps. Default 100. */
    maxIterations?: number
    /** Default 1e-9. */
    tolerance?: number
  })
  /** The channels: channel, effect, effect_se, decay, decay_se, delay. */
  effects(): Frame
  /** The steps of the fit: step, log_likelihood, penalised. */
  trace(): Frame
  /** What was tried where the penalty was chosen: penalty, held_out_log_likelihood. */
  penalties(): Frame
  /** What would not have happened without touches: channel, credit, incremental credit, and a row `(baseline)`. */
  incremental(): Frame
}

/** The models that learn from journeys with and without a conversion. */
export type LearnedModel = PathCounterfactual | ShaoLi | Logistic | TimeToEvent | AdditiveHazard

/**
 * How well models predict conversions that they have not seen: model,
 * journeys, conversions, log_loss, null_log_loss, auc, brier, clipped.
 * `extras.calibration` has predicted against observed by bins of predictions.
 * With a bootstrap of the customers held out (predictions are not made again) each
 * number is followed by its `_standard_error`, `_low` and `_high`, and of two or more models
 * `extras.differences` has model, other_model, log_loss_difference, auc_difference, brier_difference.
 */
export declare function validate(
  journeys: Journeys,
  models: AttributionModel | readonly AttributionModel[],
  options?: BootstrapOptions & RunOptions & {
    /** Folds, by customer; journeys from paths are dealt one by one. Default 5. */
    folds?: number
    /** Bins of equal weight of the calibration. Default 10. */
    bins?: number
  },
): Promise<Frame>

/**
 * Attribution by a model for each segment of customers, shrunk to the model of
 * all: segment, channel, conversions, value. `extras` has `segments`, `effects`, `shrinkage` (variance_ratio, 0 where
 * segments differ by no more than chance; shrinkage, its inverse, missing where it is infinite; with a bootstrap
 * shrinkage_low and shrinkage_high) and, where wanted, `customers`. With a bootstrap each number is followed by its
 * `_standard_error`, `_low` and `_high`; those of `customers` are of their journeys as they are, by the samples' models.
 */
export declare function segmented(
  journeys: Journeys,
  model: AttributionModel,
  segments: FrameInput,
  options?: BootstrapOptions & RunOptions & {
    /** Column of segments: who. Default `"customer"`. */
    customer?: string
    /** Column of segments: which. Default `"segment"`. */
    segment?: string
    /** The conversions at which a segment's own model weighs half; estimated unless given. */
    shrinkage?: number | null
    /** Whether credit by customer is wanted too. Default false. */
    customers?: boolean
  },
): Promise<Frame>

/** A rule that splits the credit of one journey over its touches. */
declare abstract class Rule {
  /** The credit of each touch of one journey, adding up to 1; takes microseconds. */
  score(path: string[], times?: (Date | string | number)[]): number[]
}
/** All to the first touch. */
export declare class FirstTouch extends Rule { private readonly rule: 'first' }
/** All to the last touch. */
export declare class LastTouch extends Rule { private readonly rule: 'last' }
/** The same to each touch. */
export declare class Linear extends Rule { private readonly rule: 'linear' }
/** All to the last touch whose channel is not direct. */
export declare class LastNonDirect extends Rule {
  constructor(options?: {
    /** Labels of direct channels. Default `["direct", "(direct)"]`. */
    direct?: string[]
  })
  private readonly rule: 'last_non_direct'
}
/** Shares to the first and the last touch, the rest in equal parts to those between. */
export declare class PositionBased extends Rule {
  constructor(options?: {
    /** Share of the first touch. Default 0.4. */
    first?: number
    /** Share of the last touch. Default 0.4. */
    last?: number
  })
  private readonly rule: 'position_based'
}
/**
 * Weights of one's own, as data: each touch weighs the product of what its
 * position, its channel and its age weigh.
 */
export declare class Custom extends Rule {
  constructor(options?: {
    /** Weights of the first touch, the second and so on; the last one holds for all that follow. */
    fromStart?: number[]
    /** Weights of the last touch, the one before and so on; the last one holds for all that are older. */
    fromEnd?: number[]
    /** Weights of channels. */
    channels?: Record<string, number>
    /** The weight of channels that are not named. Default 1. */
    otherChannels?: number
    /** Weights of touches up to an age, ages ascending. */
    ages?: { within: Duration; weight: number }[]
    /** The weight of touches older than all `ages`. Default 0. */
    older?: number
    /** What stands in the model's name where there are several. */
    name?: string
  })
  private readonly rule: 'custom'
}
/** Half as much for every half-life that a touch lies before the conversion. */
export declare class TimeDecay extends Rule {
  constructor(options?: {
    /** The age at which a touch counts half. Default `"7d"`. */
    halfLife?: Duration
  })
  private readonly rule: 'time_decay'
}

/** A model for `attribute`: by name with its defaults, or with parameters. */
export type AttributionModel =
  | 'first'
  | 'last'
  | 'last_non_direct'
  | 'linear'
  | 'position_based'
  | 'time_decay'
  | 'markov'
  | 'shapley'
  | 'path_counterfactual'
  | 'shao_li'
  | 'logistic'
  | 'time_to_event'
  | 'additive_hazard'
  | FirstTouch
  | LastTouch
  | LastNonDirect
  | Linear
  | PositionBased
  | Custom
  | TimeDecay
  | Shapley
  | Markov
  | LearnedModel
  | CallbackRule

/** One touch of a converting journey, as a rule of one's own sees it. */
export interface Touch {
  channel: string
  /** Its place in the journey, from 1. */
  position: number
  /** How many touches the journey has. */
  touches: number
  /** Days before the conversion; null where journeys come from paths. */
  age: number | null
  /** The campaign, where campaigns were read. */
  campaign: string | null
  /** The kind of the conversion, where kinds were read. */
  kind: string | null
}

/**
 * A rule of one's own: a weight of 0 or more for each touch of a journey, of
 * which each has its part; where all are 0, all have the same. Not async. Called
 * once for each distinct journey that converts, in short turns between which
 * other work of the process goes on.
 */
export type CallbackRule = (touches: Touch[]) => ArrayLike<number>

/** Whatever a model file may hold. */
export type Model =
  | IdentityGraph
  | Markov
  | Shapley
  | LearnedModel
  | PathCounts
  | JourneyBuilder
  | ChannelRules
  | clv.BetaGeo
  | clv.GammaGamma
  | clv.Cox
  | clv.DiscreteHazard
  | clv.Aft
  | clv.ZeroInflatedLognormal
  | clv.ShiftedBetaGeo
  | clv.BetaDiscreteWeibull
  | clv.Posterior
  | clv.RfmBuilder
  | clv.SeasonalClock
  | segment.KMeans

export declare namespace clv {
  /** Columns and options of `summarize`. */
  export interface SummarizeOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of times. Default `"time"`. */
    time?: string
    /** Column of amounts; `null` for none, and then there is no `monetary_value`. Default `"value"`. */
    value?: string | null
    /** The unit of recency and T: a span, or `"month"`, `"quarter"` or `"year"` of the calendar. Default `"1d"`. */
    period?: Duration
    /**
     * Orders of one customer within one grain are one purchase: a span, or `"month"`, `"quarter"` or `"year"`, which
     * with the same `period` are the opportunities of `BetaGeoBetaBinomial`. Default `"1d"`.
     */
    grain?: Duration
    /** The last moment observed; the last order by default. */
    observationEnd?: Date | string | number
    /** The end of calibration: later orders become holdout columns. */
    calibrationEnd?: Date | string | number
    /** Whether the first purchase counts in `monetary_value`. Default false. */
    includeFirst?: boolean
    /** Also the column `log_intervals`, how regularly customers buy. Default false. */
    logIntervals?: boolean
    /** Also the column `cohort`, the start of the calendar period of the first purchase: `"month"`, `"quarter"`, `"year"`, `"week"`, or days such as `"30d"`. */
    cohort?: string
    /** Count recency, T and the holdout by this clock. */
    clock?: SeasonalClock
    /** Negative amounts: invalid (the default), left out, or set against earlier purchases. */
    refunds?: 'error' | 'drop' | 'net'
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: 's' | 'ms' | 'us' | 'ns'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** What speeds of time depend on: seasons of the year, or windows, of which all other time is the season `other`. */
  export type Seasons = 'month' | 'quarter' | 'week' | { name: string; from: Date | string; until: Date | string }[]

  /** Options of a `SeasonalClock`. */
  export interface ClockOptions {
    /** Default `"month"`. */
    seasons?: Seasons
    /** The law whose parameters are estimated together with the speeds. Default `"BetaGeo"`. */
    model?: 'BetaGeo' | 'ModifiedBetaGeo' | 'ParetoNBD' | 'GGompertzNBD'
    /** Weight of an L2 penalty on the logarithms of speeds about their mean, in purchases. Default 0. */
    penalty?: number
    /** Most Newton steps. Default 50. */
    maxIterations?: number
    /** The greatest gradient, per repeat purchase, of a fit that has converged. Default 1e-7. */
    tolerance?: number
    /** How orders are read; those after `calibrationEnd` are not used, and the period is a span. */
    summarize?: SummarizeOptions
  }

  /** Options of `SeasonalClock.withSpeeds`. */
  export interface SpeedOptions {
    /** Default `"month"`. */
    seasons?: Seasons
    /** One for each season. */
    speeds: number[]
    /** The unit of recency and T, a span. Default `"1d"`. */
    period?: Duration
    /** Default `"1d"`. */
    grain?: Duration
  }

  /** How a model is fitted. */
  interface FitOptions {
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of weights: how many customers a row stands for. */
    weight?: string
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
    /** Most Newton steps. Default 200. */
    maxIterations?: number
    /** The greatest gradient, per customer and on log parameters, of a fit that has converged. Default 1e-9. */
    tolerance?: number
  }

  /** Columns and options of models of purchases. */
  export interface BetaGeoOptions extends FitOptions {
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /**
     * Column of `log_intervals`: with it log-likelihoods of different k can be compared. `ParetoGGG` needs it, and by
     * default takes the one of that name.
     */
    logIntervals?: string
    /** What explains purchases and dropout. None by default. */
    covariates?: Covariates
    /** The unit of recency and T, kept with the model and checked later. */
    period?: Duration
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
  }

  /** Columns that explain purchases and dropout: numbers, truth values or names. */
  export interface Covariates {
    /** Columns that explain the rate of purchases. */
    purchase?: string[]
    /** Columns that explain dropout. */
    dropout?: string[]
    /** Those of both that have one coefficient for both. */
    equal?: string[]
    /** Reference levels of columns of names; the first in order by default. */
    references?: Record<string, string>
    /** λ of −½ λ γ² per customer, on standardised covariates of purchase. Default 0. */
    purchasePenalty?: number
    /** The same for dropout. */
    dropoutPenalty?: number
    /** What dropout's covariates move in the models with dropout after a purchase: the odds (by a), a and b alike (as CLVTools), or each (as pymc-marketing). Default `"odds"`. */
    dropoutOn?: 'odds' | 'both' | 'separate'
  }

  /** The same, of purchases at every k-th tick. */
  export interface RegularOptions extends BetaGeoOptions {
    /** Ticks between purchases, 1 to 50. Default 2. */
    k?: number
  }

  /** Columns and options of `GammaGamma`. */
  export interface GammaGammaOptions extends FitOptions {
    /** Column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
  }

  /** Columns that hold a customer's history. */
  interface HistoryOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** The unit of recency and T, where it is known; it must then be the model's. */
    period?: Duration
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of the `predict` of models of purchases. */
  export interface PredictOptions extends HistoryOptions {
    /** How many periods ahead, or a span of time, where the model knows its period. Default 1. */
    periods?: Horizon
    /** Level of an interval for the uncertainty of the parameters, such as 0.95: `_low` and `_high` of what is said. */
    interval?: number
    /** Level of an interval for the purchases themselves: purchases_low, purchases_high. */
    purchaseInterval?: number
    /** Also P(alive) so many periods, or so long, after T: p_alive_ahead. */
    ahead?: Horizon
    /** Also purchases for ever, discounted by this rate, per period or per its span (DERT): residual_purchases. */
    discountRate?: DiscountRate
    /** Also the time until the next purchase, its quantile of this level: next_purchase. */
    nextPurchase?: number
    /** Also the purchase rate while alive: purchase_rate. */
    rate?: boolean
    /** Also the probabilities of 0, 1, … so many purchases in the coming periods: probability_0, …; 1000 at most. */
    probabilities?: number
    /**
     * Also the posterior of the customer's own purchase rate, alive or not (own_rate, own_rate_sd), and of the own
     * dropout (own_dropout, own_dropout_sd): the probability after a purchase (BG laws) or at an opportunity (BG/BB),
     * the rate (Pareto laws), the eta of the Gompertz hazard.
     */
    ownRates?: boolean
    /** Also each customer's part of the log-likelihood at the model's parameters, fitted or given: log_likelihood. */
    logLikelihood?: boolean
    /** Column of the times between purchases, for `ParetoGGG`. Default `"log_intervals"`, where it is there. */
    logIntervals?: string
  }

  /** Columns and options of `frequencies`. */
  export interface FrequencyOptions {
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** Column of weights. */
    weight?: string
    /** The last row is this many purchases or more. Default 7. */
    most?: number
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `check`. */
  export interface CheckOptions {
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** Column of purchases in the holdout. Default `"frequency_holdout"`. */
    frequencyHoldout?: string
    /** Column of the length of the holdout. Default `"duration_holdout"`. */
    durationHoldout?: string
    /** Column of cohorts, judged one by one in `extras.byCohort`; cohorts are bins of T without. */
    cohort?: string
    /** The last bin of frequencies is this many purchases or more. Default 7. */
    most?: number
    /** How many bins of recency and of T. Default 8. */
    bins?: number
    /** The unit of recency and T, where it is known; it must then be the model's. */
    period?: Duration
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Options of `backtest`. */
  export interface BacktestOptions {
    /** The model's name. Default `"BetaGeo"`. */
    model?: string
    /** Ticks between purchases of the regular models. Default 1. */
    k?: number
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
    /** What explains purchases and dropout, whose columns `backtestOf` is given. None by default. */
    covariates?: Covariates
    /** Level of an interval of what is expected in all, such as 0.9: expected_low, expected_high. */
    interval?: number
    /** The ends of the calibration periods. */
    origins: (Date | string | number)[]
    /** How long each forecast is: periods, or a span; calendar spans are those that follow the origin. Default 90 days. */
    horizon?: Horizon
    /** How orders are read, without `calibrationEnd` and `observationEnd`. */
    summarize?: SummarizeOptions
  }

  /** Options of `newCustomer`. */
  export interface NewCustomerOptions {
    /** The horizon of the probabilities. Default 1. */
    periods?: Horizon
    /** The most purchases told apart. Default 10. */
    most?: number
    /** Horizons of `extras.course`, which has them in periods. */
    horizons?: Horizon[]
    /** Level of intervals for the uncertainty of the parameters, such as 0.95: `_low` and `_high` of each number. */
    interval?: number
  }

  /** Columns and options of `compare`. */
  export interface ComparePurchasesOptions {
    /** The models. Default BetaGeo, ModifiedBetaGeo and ParetoNBD. */
    models?: (string | { model: string; k: number })[]
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** Column of weights: how many customers a row stands for; not beside a holdout, whose customers are judged one by one. */
    weight?: string
    /** Column of purchases in the holdout. Default `"frequency_holdout"`. */
    frequencyHoldout?: string
    /** Column of the length of the holdout. Default `"duration_holdout"`. */
    durationHoldout?: string
    /** Column of `log_intervals`; by that name where it is there. */
    logIntervals?: string
    /** The unit of recency and T. */
    period?: Duration
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
    /** What explains purchases and dropout in every model; criteria count the coefficients. None by default. */
    covariates?: Covariates
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options that `samplePosterior`, `laplace` and `bootstrap` share. */
  export interface DrawOptions {
    /** The model's name. Default `"BetaGeo"`. */
    model?: string
    /** Ticks between purchases of the regular models. Default 1. */
    k?: number
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** Column of weights: how many customers a row stands for. */
    weight?: string
    /** Column of `log_intervals`, which `ParetoGGG` needs. Default: the one of that name. */
    logIntervals?: string
    /** Of `GammaGamma`: column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
    /**
     * Of models of retention: what a row is, its columns, and what explains how customers leave. By default a row is
     * the one cohort in a period.
     */
    contract?: Pick<
      ContractOptions,
      | 'data'
      | 'cohort'
      | 'index'
      | 'customers'
      | 'start'
      | 'leftTruncated'
      | 'duration'
      | 'event'
      | 'entry'
      | 'covariates'
    >
    /**
     * Of models of purchases: what explains purchases and dropout. None by default. `samplePosterior` and `laplace` take
     * no penalties, of which priors take the place.
     */
    covariates?: Covariates
    /** The unit of recency and T, to be kept with the draws and checked later. */
    period?: Duration
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `laplace`. */
  export interface LaplaceOptions extends DrawOptions {
    /** Chains. Default 4. */
    chains?: number
    /** Draws of each chain. Default 1000. */
    draws?: number
    /** The prior of parameters that `priors` does not name. Default `"weak"`. */
    prior?: 'weak' | 'flat'
    /**
     * Log-normal priors of single parameters; the median of a time is a multiple of mean T, that of v of mean spend.
     * Of a coefficient
     * (`purchase:income`) the prior is of the factor e^coefficient that one more of the covariate makes.
     */
    priors?: Record<string, { median: number; sd: number }>
    /**
     * Standard deviation of the normal prior, about 0, of other coefficients, on standardised covariates. Default 1
     * with the prior `"weak"`; they are flat with `"flat"`.
     */
    coefficientSd?: number
  }

  /** Columns and options of `samplePosterior`. */
  export interface PosteriorOptions extends LaplaceOptions {
    /** Draws of warm-up of each chain, which are not kept. Default 300. */
    tune?: number
    /** The acceptance that the step size aims at; raise it where transitions diverge. Default 0.8. */
    targetAccept?: number
    /** A trajectory has at most 2 to this many steps. Default 10. */
    maxDepth?: number
  }

  /** Columns and options of `bootstrap`. */
  export interface RefitOptions extends DrawOptions {
    /** Refits. Default 1000. */
    replicates?: number
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
    /** Most Newton steps of a refit. Default 200. */
    maxIterations?: number
    /** A refit has converged when no entry of the gradient exceeds this. Default 1e-5. */
    tolerance?: number
  }

  /** Columns and options of `Posterior.predict`. */
  export interface PosteriorPredictOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** How many periods ahead, or a span of time, where the model knows its period. Default 1. */
    periods?: Horizon
    /** Level of the intervals of all but the purchases themselves. Default 0.9. */
    level?: number
    /** Level of an interval for the purchases themselves: purchases_low, purchases_high. */
    purchaseInterval?: number
    /** Also P(alive) so many periods, or so long, after T: p_alive_ahead. */
    ahead?: Horizon
    /** Also purchases for ever, discounted by this rate, per period or per its span (DERT): residual_purchases. */
    discountRate?: DiscountRate
    /** Also the time until the next purchase, its quantile of this level: next_purchase. */
    nextPurchase?: number
    /** Also the purchase rate while alive: purchase_rate. */
    rate?: boolean
    /** Also the probabilities of 0, 1, … so many purchases in the coming periods: probability_0, …; 1000 at most. */
    probabilities?: number
    /** Predict with at most so many draws, evenly spaced. Default 400. */
    mostDraws?: number
    /** Column of `log_intervals`, for draws of `ParetoGGG`. Default: the one of that name, where it is there. */
    logIntervals?: string
    /** Column of the mean value of the repeat purchases, for draws of `GammaGamma`. Default `"monetary_value"`. */
    monetaryValue?: string
    /** Column of the renewals that each has made, for draws of models of retention. Default `"renewals"`. */
    renewals?: string
    /** Of models of retention: the discount rate; without one there is no residual value. */
    discount?: Rate
    /** Of models of retention: periods valued; all of them unless given. */
    horizon?: number
    /** Of models of retention: the margin of one period. Default 1. */
    margin?: number
    /** The unit of recency and T, where it is known; it must then be the draws'. */
    period?: Duration
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `Posterior.check`. */
  export interface PosteriorCheckOptions {
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** Column of the mean value of the repeat purchases, for draws of `GammaGamma`. Default `"monetary_value"`. */
    monetaryValue?: string
    /** Of models of retention: what a row is and its columns, as when they were drawn; covariates are the draws' own. */
    contract?: Omit<NonNullable<PosteriorOptions['contract']>, 'covariates'>
    /** Column of weights: how many customers a row stands for, a whole number. */
    weight?: string
    /** Customers of so many repeat purchases or more, and renewals from this one on, are one class. Default 7. */
    most?: number
    /** Level of the interval from low to high. Default 0.9. */
    level?: number
    /** Replicate by at most so many draws, evenly spaced. Default 400. */
    mostDraws?: number
    /** The unit of recency and T, where it is known; it must then be the draws'. */
    period?: Duration
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Options of `Posterior.survival`. */
  export interface DrawSurvivalOptions {
    /** How many periods from the beginning. Default 12. */
    periods?: number
    /** Level of the intervals. Default 0.9. */
    level?: number
    /** At most so many draws, evenly spaced. Default 400. */
    mostDraws?: number
    /** Of draws with covariates: those of the kind of customer told of; at their means unless given. */
    at?: ContractKind
  }

  /** Options of `Posterior.value`. */
  export interface DrawValueOptions extends Omit<ContractValueOptions, 'interval'> {
    /** Level of the intervals. Default 0.9. */
    level?: number
    /** At most so many draws, evenly spaced. Default 400. */
    mostDraws?: number
  }

  /** The full posterior of the parameters, by the no-U-turn sampler (Hoffman & Gelman 2014). */
  export function samplePosterior(rfm: FrameInput, options?: PosteriorOptions & RunOptions): Promise<Posterior>
  /** Nearly the same at once: a normal about the greatest posterior density, on log parameters. */
  export function laplace(rfm: FrameInput, options?: LaplaceOptions & RunOptions): Promise<Posterior>
  /** Uncertainty without priors: refits on customers drawn again. */
  export function bootstrap(rfm: FrameInput, options?: RefitOptions & RunOptions): Promise<Posterior>

  /** Columns and options of `sampleHierarchy`. */
  export interface HierarchyOptions extends Omit<PosteriorOptions, 'logIntervals' | 'contract'> {
    /** Of models of retention: what a row is, and its columns, as in `samplePosterior`. */
    contract?: PosteriorCheckOptions['contract']
    /** Column of groups: segments, acquisition channels; of models of retention it may be that of cohorts. Default `"group"`. */
    group?: string
    /** How far groups may lie apart: the scale of the prior of the deviation of log parameters. Default 0.5. */
    spread?: number
  }

  /** The parameters of groups together: small groups borrow from the others (partial pooling). */
  export function sampleHierarchy(rfm: FrameInput, options?: HierarchyOptions & RunOptions): Promise<Hierarchy>

  /** How orders and covariates along time are read. */
  export interface Sources {
    /** Column of customers, of both frames. Default `"customer"`. */
    customer?: string
    /** Column of the time of an order, and of that from which a row of covariates holds. Default `"time"`. */
    time?: string
    /** Column of the orders' amounts. Default `"value"`, where there is one. */
    value?: string
    /** What becomes of negative amounts. Default `"error"`. */
    refunds?: 'error' | 'drop' | 'net'
    /** Purchases within one of these are one. Default `"1d"`. */
    grain?: Duration
    /** The last moment observed. Default: the last order. */
    observationEnd?: Date | string | number
    /** The unit of times that are plain numbers. */
    timeUnit?: 's' | 'ms' | 'us' | 'ns'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Options of `DynamicParetoNBD`. */
  export interface DynamicOptions {
    /** Which columns explain what. */
    covariates?: Covariates
    /** The unit of time. Default `"1d"`. */
    period?: Duration
    /** How the frames are read. */
    sources?: Sources
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
    /** Most Newton steps. Default 200. */
    maxIterations?: number
    /** The gradient per customer that counts as zero. Default 1e-9. */
    tolerance?: number
  }

  /** Options of `DynamicGammaGamma`. */
  export interface DynamicSpendFitOptions extends Omit<DynamicOptions, 'covariates'> {
    /** Columns that explain spend. */
    covariates?: string[]
    /** Reference levels of columns of names. */
    references?: Record<string, string>
    /** Whether the purchase rate explains spend too. Default false. */
    rate?: boolean
  }

  /** Options of the predictions of `DynamicParetoNBD`. */
  export interface DynamicPredictOptions {
    /** How many periods after the end of observation, or how long. Default 1. */
    periods?: Horizon
    /** Level of an interval for the uncertainty of the parameters. */
    interval?: number
    /** Also these purchases discounted by this rate, per period or per its span (DECT), and above 0 those for ever. */
    discountRate?: DiscountRate
    /** Also P(alive) so many periods, or so long, after the end of observation. */
    ahead?: Horizon
    /** Also the time by which a customer has bought again with this probability. */
    nextPurchase?: number
    /** Also the purchase rate while alive, by what holds at the end of observation. */
    rate?: boolean
    /** Also the probabilities of 0, 1, … so many purchases in the coming periods. */
    probabilities?: number
    /** Also the posterior of the customer's own purchase rate and dropout: means and standard deviations. */
    ownRates?: boolean
    /** Also each customer's part of the log-likelihood. */
    logLikelihood?: boolean
    /** How the frames are read. */
    sources?: Sources
  }

  /** How `DynamicParetoNBD.posterior` draws, beside the options of its fit. */
  export interface DynamicPosteriorOptions extends DynamicOptions {
    /** Chains. Default 4. */
    chains?: number
    /** Draws of each chain. Default 1000. */
    draws?: number
    /** Draws of warm-up before them. Default 300. */
    tune?: number
    /** The acceptance that the step size aims at. Default 0.8. */
    targetAccept?: number
    /** A trajectory has at most 2 to this many steps. Default 10. */
    maxDepth?: number
    /** The prior of parameters that `priors` does not name. Default `"weak"`. */
    prior?: 'weak' | 'flat'
    /** Priors of single parameters and coefficients, by their names. */
    priors?: Record<string, { median: number; sd: number }>
    /** Standard deviation of the prior of coefficients of standardised covariates. */
    coefficientSd?: number
    /** Refits of a bootstrap, and of nothing else. Default 1000. */
    replicates?: number
  }

  /** Options of `Posterior.predictAlong`. */
  export interface DynamicDrawOptions {
    /** How many periods after the end of observation, or how long. Default 1. */
    periods?: Horizon
    /** Level of the intervals. Default 0.9. */
    level?: number
    /** Level of an interval for the purchases themselves. */
    purchaseInterval?: number
    /** Also P(alive) so many periods, or so long, after the end of observation. */
    ahead?: Horizon
    /** Also purchases for ever, discounted at this rate. */
    discountRate?: DiscountRate
    /** Also the time by which a customer has bought again with this probability. */
    nextPurchase?: number
    /** Also the purchase rate while alive. */
    rate?: boolean
    /** Also the probabilities of 0, 1, … so many purchases in the coming periods. */
    probabilities?: number
    /** Predict with at most so many draws, evenly spaced. Default 400. */
    mostDraws?: number
    /** How the frames are read. */
    sources?: Sources
  }

  /** Options of `DynamicParetoNBD.check`. */
  export interface DynamicCheckOptions {
    /** The end of calibration, its grain included. */
    calibrationEnd: Date | string | number
    /** The last bin of frequencies is this many purchases or more. Default 7. */
    most?: number
    /** How many bins of recency and of T. Default 8. */
    bins?: number
    /** How the frames are read; the holdout ends with `observationEnd`. */
    sources?: Sources
  }

  /** Options of `DynamicParetoNBD.lifetimeValue`. */
  export interface DynamicLifetimeOptions {
    /** How many periods after the end of observation are valued, or a span of a whole number of them. Default 52. */
    periods?: Horizon
    /** Discount rate, per period of the model or per its own span. Default 0. */
    discountRate?: DiscountRate
    /** Share of the spend that is profit. Default 1. */
    margin?: number
    /** Level of an interval of the value for the uncertainty of the parameters of both models. */
    interval?: number
    /** Of draws of spend, at most so many are looked at, evenly spaced. Default 400. */
    mostDraws?: number
    /** How the frames are read. */
    sources?: Sources
  }

  /** Of a model along covariates with given parameters. */
  export interface DynamicGivenOptions {
    /** The covariates of a customer whose parameters are those of the law, by column or `column[level]`; 0 of others. */
    means?: Record<string, number>
    /** The reference level of each column of names. */
    references?: Record<string, string>
    /** The unit of time of the parameters. Default 1 day. */
    period?: Duration
  }

  /** r and alpha of Pareto/NBD, and the logarithm of the rate of a customer whose parameters are those of the law. */
  export interface DynamicRate {
    r: number
    alpha: number
    mean: number
  }

  /** What models along covariates share; a row of covariates holds from its time to the customer's next one. */
  abstract class DynamicModel<FitOptions> {
    constructor(options?: FitOptions & RunOptions)
    /** Estimates the parameters by maximum likelihood, and resolves to this model. */
    fit(orders: FrameInput, along: FrameInput, options?: FitOptions & RunOptions): Promise<this>
    /** The parameters and coefficients by their names. */
    get params(): Record<string, number>
    /** The covariates of a customer whose parameters are those of the law: their means in a fit. */
    get means(): Record<string, number>
    /** The reference level of each column of names. */
    get references(): Record<string, string>
    /** Their standard errors; `null` where the data do not identify one. */
    get standardErrors(): Record<string, number | null>
    /** The maximised log-likelihood. */
    get logLikelihood(): number
    /** `"interior"` for an ordinary maximum; else what the data ask for. */
    get verdict(): string
    /** `"interior"` where all coefficients are finite, `"monotone_likelihood"` where one ran off. */
    get effectsVerdict(): string
    /** The rows that the fit dropped, and why: column, reason, count, first_row. */
    dropped(): { orders: Frame; covariates: Frame }
    /** One row for each parameter: parameter, estimate, standard_error, low, high (of spend also z, p). */
    table(): Frame
    /** One row on the fit. */
    fitTable(): Frame
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }

  /** Pareto/NBD with covariates that change: seasons, campaigns, prices (Bachmann, Meierer & Näf 2021). */
  export class DynamicParetoNBD extends DynamicModel<DynamicOptions> {
    /** A model with given parameters, for example published ones; coefficients as `params` names them. */
    static fromParameters(params: Record<string, number>, options?: DynamicGivenOptions): DynamicParetoNBD
    /** Draws of the parameters and coefficients, whose `predictAlong` takes orders and `along`; the model need not be fitted. */
    posterior(
      method: 'nuts' | 'laplace' | 'bootstrap',
      orders: FrameInput,
      along: FrameInput,
      options?: DynamicPosteriorOptions & RunOptions,
    ): Promise<Posterior>
    /** Purchases in the coming periods, by what `along` says of then: customer, expected_purchases, p_alive, …. */
    predict(orders: FrameInput, along: FrameInput, options?: DynamicPredictOptions & RunOptions): Promise<Frame>
    /** The same of customers who are new at the time of their first row of `along`. */
    newCustomers(along: FrameInput, options?: DynamicPredictOptions & RunOptions): Promise<Frame>
    /**
     * The forecast beside the holdout after `calibrationEnd`: level, mae, rmse, bias, …; `extras`: byFrequency,
     * byRecency, byAge, deciles.
     */
    check(orders: FrameInput, along: FrameInput, options: DynamicCheckOptions & RunOptions): Promise<Frame>
    /**
     * Actual and expected repeat purchases, period after period: period_end, actual, expected, actual_cumulative,
     * expected_cumulative; with `interval` their bounds.
     */
    tracking(orders: FrameInput, along: FrameInput, options?: { interval?: number; sources?: Sources } & RunOptions): Promise<Frame>
    /**
     * The discounted value of each customer's coming purchases, by what `along` says of then: customer,
     * expected_purchases, p_alive, expected_spend, lifetime_value. A `DynamicGammaGamma` values each purchase by what
     * holds when it is made; `along` then has the covariates of both models. Of draws of `GammaGamma` spend and value are
     * means over them.
     */
    lifetimeValue(
      spend: GammaGamma | Posterior | DynamicGammaGamma,
      orders: FrameInput,
      along: FrameInput,
      options?: DynamicLifetimeOptions & RunOptions,
    ): Promise<Frame>
  }

  /** Gamma–Gamma whose purchases are worth more or less by what holds at their time, and by the purchase rate. */
  export class DynamicGammaGamma extends DynamicModel<DynamicSpendFitOptions> {
    /** A model with given parameters, for example published ones; `rate` is what `spend:rate` is a coefficient of. */
    static fromParameters(
      params: Record<string, number>,
      options?: DynamicGivenOptions & { rate?: DynamicRate | null },
    ): DynamicGammaGamma
    /** What spend takes the purchase rate to be, where that explains. */
    get rate(): DynamicRate | null
    /** The expected value of a purchase in the coming periods: customer, expected_spend. */
    predict(orders: FrameInput, along: FrameInput, options?: { periods?: Horizon; interval?: number; sources?: Sources } & RunOptions): Promise<Frame>
  }

  /** What all models of purchases and dropout share; times are in the model's periods. */
  abstract class PurchaseModel<Name extends string = string> {
    /** Estimates the parameters by maximum likelihood, and resolves to this model. */
    fit(rfm: FrameInput, options?: BetaGeoOptions & RunOptions): Promise<this>
    /** The model of a kind of customer, by its covariates: what it says is said of customers like that. */
    at(covariates: Record<string, string | number | boolean>): this
    /** What to expect of each customer: customer, expected_purchases, p_alive, and what was asked for. */
    predict(rfm: FrameInput, options?: PredictOptions & RunOptions): Promise<Frame>
    /** The forecast beside the holdout: level, mae, rmse, bias, …; `extras`: byFrequency, byRecency, byAge, byCohort, deciles. */
    check(rfm: FrameInput, options?: CheckOptions & RunOptions): Promise<Frame>
    /** Customers by their number of repeat purchases: purchases, actual, expected, residual; `extras.goodnessOfFit`. */
    frequencies(rfm: FrameInput, options?: FrequencyOptions & RunOptions): Promise<Frame>
    /** Of a customer not yet seen: purchases, probability; `extras.course`: periods, expected_purchases, p_alive. */
    newCustomer(options?: NewCustomerOptions & RunOptions): Promise<Frame>
    /** Actual and expected repeat purchases, period after period. */
    tracking(orders: FrameInput, options?: TrackingOptions & RunOptions): Promise<Frame>
    /** The same by a model with covariates, which `customers` has, one row a customer; each has a law of its own. */
    trackingOf(orders: FrameInput, customers: FrameInput, options?: TrackingOptions & RunOptions): Promise<Frame>
    /** The parameters. */
    get params(): Record<Name, number>
    /** Their standard errors; `null` where the data do not identify one. */
    get standardErrors(): Record<Name, number | null>
    /** The maximised log-likelihood; `null` where the parameters were given. */
    get logLikelihood(): number | null
    /** `"interior"` for an ordinary maximum; else which simpler model the data ask for. */
    get verdict(): string
    /** The same of covariates: `"monotone_likelihood"` where a coefficient ran off; `null` without covariates. */
    get effectsVerdict(): string | null
    /** The rows that the fit dropped, and why: column, reason, count, first_row. */
    dropped(): Frame
    /** One row for each parameter: parameter, estimate, standard_error, low, high. */
    table(): Frame
    /** One row on the fit: log_likelihood, customers, iterations, gradient_norm, aic, bic, verdict, …; `effects_verdict` with covariates. */
    fitTable(): Frame
    /** The probability that one customer is alive, now or `ahead` periods after T; takes microseconds. */
    pAlive(frequency: number, recency: number, age: number, ahead?: number): number
    /** The purchases to expect of one customer in the coming periods; takes microseconds. */
    expectedPurchases(frequency: number, recency: number, age: number, periods: number): number
    /** One customer's purchases for ever, discounted by this rate per period. */
    residualPurchases(frequency: number, recency: number, age: number, discountRate: number): number
    /** The probabilities that one customer buys 0, 1, … `most` times in the coming periods. */
    probabilities(frequency: number, recency: number, age: number, periods: number, most: number): number[]
    /** The interval of `pAlive` for the uncertainty of the parameters; `level` is 0.95 by default. */
    pAliveInterval(frequency: number, recency: number, age: number, ahead?: number, level?: number): [low: number | null, high: number | null]
    /** The interval of `expectedPurchases`. */
    expectedPurchasesInterval(frequency: number, recency: number, age: number, periods: number, level?: number): [low: number | null, high: number | null]
    /** The interval of `residualPurchases`. */
    residualPurchasesInterval(frequency: number, recency: number, age: number, discountRate: number, level?: number): [low: number | null, high: number | null]
    /** The intervals of `probabilities`. */
    probabilitiesInterval(frequency: number, recency: number, age: number, periods: number, most: number, level?: number): [low: number | null, high: number | null][]
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }

  /** The BG/NBD model of purchases and dropout (Fader, Hardie & Lee 2005). */
  export class BetaGeo extends PurchaseModel<'r' | 'alpha' | 'a' | 'b'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; a: number; b: number }, period?: Duration): BetaGeo
  }

  /** The MBG/NBD model: customers may drop out after the first purchase too (Batislam et al. 2007). */
  export class ModifiedBetaGeo extends PurchaseModel<'r' | 'alpha' | 'a' | 'b'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; a: number; b: number }, period?: Duration): ModifiedBetaGeo
  }

  /** The BG/CNBD-k model: BG/NBD with regular purchases (Platzer & Reutterer 2016). */
  export class BetaGeoCNBD extends PurchaseModel<'r' | 'alpha' | 'a' | 'b'> {
    constructor(options?: RegularOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; a: number; b: number; k?: number }, period?: Duration): BetaGeoCNBD
  }

  /** The MBG/CNBD-k model: MBG/NBD with regular purchases (Platzer & Reutterer 2016). */
  export class ModifiedBetaGeoCNBD extends PurchaseModel<'r' | 'alpha' | 'a' | 'b'> {
    constructor(options?: RegularOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; a: number; b: number; k?: number }, period?: Duration): ModifiedBetaGeoCNBD
  }

  /** The Pareto/NBD model: customers may drop out at any time (Schmittlein, Morrison & Colombo 1987). */
  export class ParetoNBD extends PurchaseModel<'r' | 'alpha' | 's' | 'beta'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; s: number; beta: number }, period?: Duration): ParetoNBD
  }

  /** The GGompertz/NBD model: dropout at a rate that grows with age (Bemmaor & Glady 2012). */
  export class GGompertzNBD extends PurchaseModel<'r' | 'alpha' | 'b' | 's' | 'beta'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number; b: number; s: number; beta: number }, period?: Duration): GGompertzNBD
  }

  /**
   * The Pareto/GGG model: purchases as regular as each customer has them (Platzer & Reutterer 2016). Fitted on what
   * `summarize` gives with `logIntervals`. Where a method takes no times between
   * purchases, it averages over what they may have been.
   */
  export class ParetoGGG extends PurchaseModel<'t' | 'gamma' | 'r' | 'alpha' | 's' | 'beta'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(
      params: { t: number; gamma: number; r: number; alpha: number; s: number; beta: number },
      period?: Duration,
    ): ParetoGGG
  }

  /**
   * Abe's hierarchical Pareto/NBD: log-normal rates of purchases and of dropout, correlated (Abe 2009). `lambda` and `mu`
   * are median rates, the sigmas standard deviations of their logarithms, and `odds` is (1 + ρ) / (1 − ρ) of their
   * correlation ρ.
   */
  export class AbeParetoNBD extends PurchaseModel<'lambda' | 'sigma_lambda' | 'mu' | 'sigma_mu' | 'odds'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(
      params: { lambda: number; sigma_lambda: number; mu: number; sigma_mu: number; odds: number },
      period?: Duration,
    ): AbeParetoNBD
    /** The correlation of ln λ and ln μ over customers: correlation, low, high (95 %). */
    correlation(): Promise<Frame>
  }

  /** The BG/BB model: purchases at discrete opportunities (Fader, Hardie & Shang 2010). */
  export class BetaGeoBetaBinomial extends PurchaseModel<'alpha' | 'beta' | 'gamma' | 'delta'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { alpha: number; beta: number; gamma: number; delta: number }, period?: Duration): BetaGeoBetaBinomial
  }

  /** The NBD model: purchases at random, and nobody leaves (Ehrenberg 1959). */
  export class NBD extends PurchaseModel<'r' | 'alpha'> {
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number; alpha: number }, period?: Duration): NBD
  }

  /** Columns and options of `GammaGamma.predict`. */
  export interface SpendPredictOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
    /** Level of an interval for the uncertainty of the parameters, such as 0.95. */
    interval?: number
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `lifetimeValue`. */
  export interface LifetimeOptions extends HistoryOptions {
    /** Column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
    /** How many periods ahead are valued, or a span of a whole number of them. Default 52. */
    periods?: Horizon
    /** Discount rate, per period of the model or per its own span. Default 0. */
    discountRate?: DiscountRate
    /** Share of the spend that is profit. Default 1. */
    margin?: number
    /** Level of an interval of the value for the uncertainty of the parameters, such as 0.9. */
    interval?: number
    /** Of draws, at most so many are looked at, evenly spaced. Default 400. */
    mostDraws?: number
  }

  /** What `clv.likelihoodRatio` finds. */
  export interface LikelihoodRatio {
    /** Twice the gain in log-likelihood. */
    statistic: number
    /** How many parameters the richer law has more. */
    degreesOfFreedom: number
    /** The probability of a statistic as great or greater, if the restricted law is true. */
    p: number
    /** The statistic's distribution then, such as `"0.5 chi2(0) + 0.5 chi2(1)"` (Self & Liang 1987). */
    distribution: string
  }

  /** Columns of `clv.forecastErrors`. */
  export interface ForecastOptions {
    /** Column of what happened. Default `"actual"`. */
    actual?: string
    /** Column of what was predicted. Default `"expected_purchases"`. */
    predicted?: string
  }

  /** Columns and options of the `tracking` of models of purchases. */
  export interface TrackingOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of times. Default `"time"`. */
    time?: string
    /** Column of amounts, needed only to settle refunds. */
    value?: string
    /** Length of a step; the model's own period by default. */
    period?: Duration
    /** Orders of one customer within one grain are one purchase. Default `"1d"`. */
    grain?: Duration
    /** The last moment tracked; the last order by default. */
    observationEnd?: Date | string | number
    /** Track cohorts too, in `extras.byCohort`: `"month"`, `"quarter"`, `"year"`, `"week"`, or days such as `"30d"`. */
    cohort?: string
    /** The clock by which the model's rows were counted. */
    clock?: SeasonalClock
    /** Negative amounts. Default `"error"`. */
    refunds?: 'error' | 'drop' | 'net'
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: 's' | 'ms' | 'us' | 'ns'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
    /** Level of bounds within which actual purchases lie if the model is right, such as 0.9. */
    interval?: number
  }

  /** Where the survival models and reports find their customers, one a row. */
  interface SpellOptions {
    /** Column of durations, in any unit. Default `"duration"`. */
    duration?: string
    /** Column that says whether a duration ended with the event, or is censored. Default `"event"`. */
    event?: string
    /** Column of the time from which each was observed (left truncation). */
    entry?: string
    /** Column of how many customers a row stands for. */
    weight?: string
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `kaplanMeier`. */
  export interface KaplanMeierOptions extends SpellOptions {
    /** Column of groups, a curve for each. */
    group?: string
    /** The level of the intervals. Default 0.95. */
    level?: number
    /** The scale on which they are symmetric. Default `"log_log"`. */
    interval?: 'log_log' | 'plain'
    /** Shares that have left, whose times are asked for. Default a quarter, a half, three quarters. */
    quantiles?: number[]
    /** Where the mean is restricted; the longest time that all groups were observed for, unless given. */
    horizon?: number
    /** How the groups are compared. Default `"log_rank"`. */
    test?: 'log_rank' | 'wilcoxon' | 'tarone_ware' | 'fleming_harrington'
    /** ρ of Fleming and Harrington's weights. Default 1. */
    rho?: number
    /** γ of them. Default 0. */
    gamma?: number
  }

  /**
   * How many stay how long: group, time, at_risk, events, censored, survival, std_error, low, high.
   * `extras` has groups, quantiles, test and pairs.
   */
  export function kaplanMeier(frame: FrameInput, options?: KaplanMeierOptions & RunOptions): Promise<Frame>

  /** Columns and options of `nelsonAalen`. */
  export interface NelsonAalenOptions extends SpellOptions {
    /** Column of groups. */
    group?: string
    /** The level of the intervals. Default 0.95. */
    level?: number
    /** Whether events at one time count d/n, or one after the other. Default `"together"`. */
    ties?: 'together' | 'split'
  }

  /** The cumulative hazard: group, time, at_risk, events, censored, cumulative_hazard, std_error, low, high. */
  export function nelsonAalen(frame: FrameInput, options?: NelsonAalenOptions & RunOptions): Promise<Frame>

  /** How predictions are judged. */
  interface JudgeOptions {
    /** Column of durations. Default `"duration"`, of a model that of its fit. */
    duration?: string
    /** Column of events. Default `"event"`, of a model that of its fit. */
    event?: string
    /** Times that survival is predicted for, in order. */
    horizons?: number[]
    /** Events after this time do not count in Uno's index. */
    tau?: number
    /** Groups of the calibration. Default 10. */
    bins?: number
    /** The level of its intervals. Default 0.95. */
    level?: number
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `survivalScores`. */
  export interface SurvivalScoreOptions extends JudgeOptions {
    /** Column of predicted risks; 1 − the last of `survival` unless given. */
    risk?: string
    /** Columns of predicted survival, one for each of `horizons`. */
    survival?: string[]
  }

  /**
   * Predictions from anywhere beside what happened: score, value (harrell_c, uno_c, integrated_brier, …).
   * `extras` has brier and calibration.
   */
  export function survivalScores(frame: FrameInput, options?: SurvivalScoreOptions & RunOptions): Promise<Frame>

  /** What the fits of models of survival share. */
  interface SurvivalFitOptions extends SpellOptions {
    /** Columns that explain: numbers, truth values or names. */
    covariates?: string[]
    /** The reference level of covariates of names, by column; the first in order unless given. */
    references?: Record<string, string>
    /** The ridge on standardised covariates. Default 0. */
    penalty?: number
    /** Most Newton steps. Default 100. */
    maxIterations?: number
    /** The gradient per event that counts as zero. Default 1e-9. */
    tolerance?: number
  }

  /** Columns and options of `Cox`. */
  export interface CoxOptions extends SurvivalFitOptions {
    /** How events at one time enter. Default `"efron"`. */
    ties?: 'efron' | 'breslow'
    /** Whether a row of weight 2 is two customers, or one that counts twice. Default `"frequency"`. */
    weighting?: 'frequency' | 'sampling'
    /** Column of strata, each with a baseline of its own. */
    strata?: string
    /** Whether standard errors are by the sandwich. Default no. */
    robust?: boolean
    /** Column of clusters, whose rows may depend on each other; implies `robust`. */
    cluster?: string
  }

  /** Columns and options of `DiscreteHazard`. */
  export interface DiscreteHazardOptions extends SurvivalFitOptions {
    /** Coefficients are log odds ratios, or log hazard ratios. Default `"logit"`. */
    link?: 'logit' | 'cloglog'
    /** The baseline over the periods. Default `"periods"`, an intercept for each. */
    baseline?: 'periods' | 'constant' | 'linear' | 'log' | 'given'
    /** The intercept of each period, for the baseline `"given"`. */
    intercepts?: number[]
  }

  /** Columns and options of `Aft`. */
  export interface AftOptions extends SurvivalFitOptions {
    /** The distribution of durations. Default `"weibull"`. */
    distribution?: 'weibull' | 'log_normal' | 'log_logistic' | 'exponential'
  }

  /** Columns and options of the `predict` of models of survival. */
  export interface SurvivalPredictOptions {
    /** Column of customers; rows are numbered without it. */
    customer?: string
    /** Column of how long each has been observed until now: all counts from then on. */
    age?: string
    /** Times ahead at which survival is told. */
    horizons?: number[]
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `earlyWarning`. */
  export interface WarningOptions {
    /** Column of customers; rows are numbered without it. */
    customer?: string
    /** Column of how long each has been a customer until now. Default `"duration"`. */
    age?: string
    /** Column of those who have left, who are not listed. */
    event?: string
    /** How far to look ahead. Default 1. */
    horizon?: number
    /** How many customers to list. Default 100. */
    top?: number
    /** How many reasons to give for each. Default 3. */
    reasons?: number
    /** Customers less likely to leave than this are not listed. Default 0. */
    threshold?: number
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** What models that are asked by reports share. */
  abstract class ContractualModel<FitOptions> {
    constructor(options?: FitOptions & RunOptions)
    /** Estimates the parameters by maximum likelihood, and resolves to this model. */
    fit(frame: FrameInput, options?: FitOptions & RunOptions): Promise<this>
    /** The parameters by their names. */
    get params(): Record<string, number>
    /** Their standard errors; `null` where the data do not identify one. */
    get standardErrors(): Record<string, number | null>
    /** The maximised log-likelihood; `null` where the parameters were given. */
    get logLikelihood(): number | null
    /** `"interior"` for an ordinary maximum; else what the data ask for. */
    get verdict(): string
    /** The rows that the fit dropped, and why: column, reason, count, first_row. */
    dropped(): Frame
    /** One row for each parameter, of all customers together: parameter, estimate, standard_error, …. */
    table(): Frame
    /** One row on the fit: log_likelihood, iterations, gradient_norm, aic, bic, verdict, …. */
    fitTable(): Frame
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }

  /** What models of survival share. */
  abstract class SurvivalModel<FitOptions> extends ContractualModel<FitOptions> {
    /** The coefficients with their ratios and limits; `extras` has tests, fit and concordance. */
    summary(options?: { level?: number } & RunOptions): Promise<Frame>
    /** What is to be expected of each customer; `extras.survival`: customer, horizon, survival, churn. */
    predict(frame: FrameInput, options?: SurvivalPredictOptions & RunOptions): Promise<Frame>
    /**
     * Who is likely to leave soon, given that they are still here: customer, age, probability, hazard_ratio, reasons.
     * `extras` has reasons and unknown.
     */
    earlyWarning(frame: FrameInput, options?: WarningOptions & RunOptions): Promise<Frame>
    /** The predictions beside what happened, as of `survivalScores`. */
    scores(frame: FrameInput, options?: JudgeOptions & RunOptions): Promise<Frame>
  }

  /** Cox's proportional hazards: what raises the hazard, whatever its shape (Cox 1972). */
  export class Cox extends SurvivalModel<CoxOptions> {
    /** The baseline, of a customer with mean covariates: stratum, time, cumulative_hazard, survival. */
    baseline(options?: RunOptions): Promise<Frame>
    /** The test by Schoenfeld residuals: transform, parameter, statistic, degrees_of_freedom, p_value. */
    proportionalHazards(options?: RunOptions): Promise<Frame>
  }

  /** The hazard of each period, for contracts that end at renewals. */
  export class DiscreteHazard extends SurvivalModel<DiscreteHazardOptions> {
    /** Each period, of a customer with mean covariates: period, at_risk, events, hazard, survival. */
    hazards(options?: RunOptions): Promise<Frame>
  }

  /** Accelerated failure times: how many times longer customers stay. */
  export class Aft extends SurvivalModel<AftOptions> {
    private readonly kindOfModel: 'aft'
  }

  /** Columns and options of `ZeroInflatedLognormal`. */
  export interface ZeroInflatedLognormalOptions {
    /** Column of what each customer spent within the horizon, 0 or more. Default `"value"`. */
    target?: string
    /** Columns that explain: numbers, truth values or names; every column without another role unless given. */
    covariates?: string[]
    /** The reference level of covariates of names, by column; the first in order unless given. */
    references?: Record<string, string>
    /** Column of customers, which explains nothing. */
    customer?: string
    /** Column of how many customers a row stands for. */
    weight?: string
    /** How long the window of the target is, to be kept with the model. */
    horizon?: Duration
    /** What becomes of customers who gave back more than they bought. Default `"error"`; `"zero"` counts them as 0. */
    negative?: 'error' | 'zero'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
    /** Linear heads with standard errors, or trees on the same loss. Default `"linear"`. */
    learner?: 'linear' | 'boosted'
    /** Whether the spread of amounts is explained too. Default `"covariates"`. */
    sigma?: 'covariates' | 'constant'
    /**
     * Linear: the ridge on standardised covariates, for all heads or for `purchase`, `mu` and `log_sigma`; `null`
     * chooses from `penalties` by cross-validation. Default 1.
     */
    penalty?: number | [number, number, number] | null
    /** Linear: what `penalty` is chosen from. Default 0.1, 1, 10, 100, 1000. */
    penalties?: number[]
    /** Parts held out in turn, to choose penalties or the number of trees. Boosted: 0 grows all. Default 5. */
    folds?: number
    /** Linear: most Newton steps. Default 100. */
    maxIterations?: number
    /** Linear: the gradient per customer that counts as zero. Default 1e-9. */
    tolerance?: number
    /** Boosted: most trees of a head. Default 300. */
    trees?: number
    /** Boosted: the share of each tree that is added. Default 0.1. */
    learningRate?: number
    /** Boosted: splits from the root to a leaf, at most. Default 3. */
    depth?: number
    /** Boosted: fewest rows of a leaf. Default 20. */
    minLeaf?: number
    /** Boosted: a fold stops when this many trees have not helped. Default 25. */
    patience?: number
  }

  /** Columns and options of the `predict` of `ZeroInflatedLognormal`. */
  export interface ValuePredictOptions {
    /** Column of customers; rows are numbered without it. */
    customer?: string
    /** Levels between 0 and 1, of the whole distribution with its zeros. */
    quantiles?: number[]
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of the `score` of `ZeroInflatedLognormal`. */
  export interface ValueScoreOptions {
    /** Column of what was spent; the one of the fit unless given. */
    target?: string
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /**
   * Who will buy, and for how much: a zero-inflated lognormal regression (Wang, Liu & Miao 2019), whose three heads
   * (`purchase`, `mu`, `log_sigma`) are linear or sums of trees.
   */
  export class ZeroInflatedLognormal extends ContractualModel<ZeroInflatedLognormalOptions> {
    /**
     * Linear: parameter, head, covariate, reference, estimate, standard_error, …; boosted: head, covariate, gain, splits.
     * `extras` has tuning and fit.
     */
    summary(options?: { level?: number } & RunOptions): Promise<Frame>
    /**
     * What each customer will spend: customer, expected_value, p_positive, value_if_positive, median, sigma.
     * `extras.quantiles`: customer, level, value.
     */
    predict(frame: FrameInput, options?: ValuePredictOptions & RunOptions): Promise<Frame>
    /** The predictions beside what was spent: score, value. `extras.deciles`. */
    score(frame: FrameInput, options?: ValueScoreOptions & RunOptions): Promise<Frame>
  }

  /** How far ahead: a number of the model's periods, or a span such as `'365d'`, `'month'` or `'year'`. */
  export type Horizon = number | string

  /** A discount rate: per period of the model, or with its span, which is compounded to the period. */
  export type DiscountRate = number | Rate

  /** A rate with its span, such as `{ rate: 0.1, per: '365d' }`. */
  export interface Rate {
    rate: number
    per: Duration
  }

  /** A flow of money, such as `{ amount: 9, per: '30d' }`. */
  export interface Flow {
    amount: number
    per: Duration
  }

  /** Columns and options of `ShiftedBetaGeo` and `BetaDiscreteWeibull`. */
  export interface ContractOptions extends SpellOptions {
    /** What a row is: a cohort in a period, or a customer. Default `"cohorts"`. */
    data?: 'cohorts' | 'customers'
    /** Column of cohorts; `"cohort"` where the frame has it. */
    cohort?: string
    /** Of cohorts: column of the renewals made. Default `"period"`. */
    index?: string
    /** Of cohorts: column of the customers still there. Default `"customers"`. */
    customers?: string
    /** Of cohorts: the `index` at which a cohort is complete. Default 0. */
    start?: number
    /** Of cohorts: whether some came under observation after `start`. Default no. */
    leftTruncated?: boolean
    /** Whether cohorts share one curve. Default `"pooled"`. */
    cohorts?: 'pooled' | 'separate'
    /** Of customers: the columns that explain how they leave. */
    covariates?: ContractCovariates
    /** The length of a period, such as `"30d"` or `"month"`; needed to discount. */
    period?: Duration
    /** Most Newton steps. Default 200. */
    maxIterations?: number
    /** The gradient per customer that counts as zero. Default 1e-9. */
    tolerance?: number
  }

  /** Columns that explain how customers leave: numbers, truth values or names. */
  export interface ContractCovariates {
    /** Columns that move alpha. */
    alpha?: string[]
    /** Columns that move beta. */
    beta?: string[]
    /** Reference levels of columns of names; the first in order by default. */
    references?: Record<string, string>
    /** λ of −½ λ γ² per customer, on standardised covariates of alpha. Default 0. */
    alphaPenalty?: number
    /** The same for beta. */
    betaPenalty?: number
  }

  /** Of a model with covariates: those of the kind of customer told of; at their means unless given. */
  export type ContractKind = Record<string, string | number | boolean>

  /** Options of `value`. */
  export interface ContractValueOptions {
    /** The discount rate. */
    discount: Rate
    /** How many periods of tenure are valued. Default 5. */
    tenures?: number
    /** Periods valued from each tenure on; all of them unless given. */
    horizon?: number
    /** Margin of one period. Default 1. */
    margin?: number
    /** Level of an interval for the uncertainty of the parameters. */
    interval?: number
    /** The kind of customer told of, by its covariates. */
    at?: ContractKind
  }

  /** Columns of customers, with those of the model's covariates, and options of the `predict` of models of retention. */
  export interface ContractPredictOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of the renewals that each has made, from 0. Default `"renewals"`. */
    renewals?: string
    /** Column of cohorts; `"cohort"` where frame and model have them. */
    cohort?: string
    /** How many renewals ahead. Default 1. */
    periods?: number
    /** The discount rate; without one there is no residual value. */
    discount?: Rate
    /** Periods valued; all of them unless given. */
    horizon?: number
    /** Margin of one period. Default 1. */
    margin?: number
    /** Level of an interval for the uncertainty of the parameters. */
    interval?: number
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** What models of retention share. */
  abstract class RetentionModel extends ContractualModel<ContractOptions> {
    /** The parameters: [cohort,] parameter, estimate, standard_error, low, high. */
    summary(options?: RunOptions): Promise<Frame>
    /**
     * `"interior"` where all coefficients of covariates are finite, `"monotone_likelihood"` where one ran off; `null`
     * without covariates. `verdict` is the law's alone.
     */
    get effectsVerdict(): string | null
    /** The shares that stay: [cohort,] period, observed, survival, retention, churn. */
    survival(options?: { periods?: number; interval?: number; at?: ContractKind } & RunOptions): Promise<Frame>
    /** Of covariates: covariate, on (alpha, beta), estimate, standard_error, z, p_value, low, high. */
    coefficients(options?: RunOptions): Promise<Frame>
    /**
     * What a customer is worth by tenure: [cohort,] tenure, discounted_lifetime, expected_lifetime, value; with
     * `interval` each with `_low` and `_high`.
     */
    value(options: ContractValueOptions & RunOptions): Promise<Frame>
    /**
     * Customers who are still there: customer, survival, churn, expected_lifetime, residual_value; with `interval`
     * each with `_low` and `_high`.
     */
    predict(frame: FrameInput, options?: ContractPredictOptions & RunOptions): Promise<Frame>
    /** Beside simpler and richer models: model, parameters, log_likelihood, aic, bic, statistic, df, p_value. */
    compare(options?: RunOptions): Promise<Frame>
    /** What the model was fitted to: [cohort,] period, at_risk, lost, retention, survival. */
    lifeTable(options?: RunOptions): Promise<Frame>
  }

  /** Retention of customers who differ in their chance to leave (Fader & Hardie 2007). */
  export class ShiftedBetaGeo extends RetentionModel {
    private readonly kindOfModel: 'shifted_beta_geo'
    /** A model with given parameters, for example published ones; `period` is needed to discount. */
    static fromParameters(params: { alpha: number; beta: number }, period?: Duration): ShiftedBetaGeo
  }

  /** Retention of customers whose own chance to leave moves with tenure (Fader et al. 2018). */
  export class BetaDiscreteWeibull extends RetentionModel {
    private readonly kindOfModel: 'beta_discrete_weibull'
    /** A model with given parameters, for example published ones; `period` is needed to discount. */
    static fromParameters(params: { alpha: number; beta: number; c: number }, period?: Duration): BetaDiscreteWeibull
  }

  /** Options of `simpleValue`. */
  export interface SimpleValueOptions {
    /** One row a case, whose `columns` take the place of single options. */
    cases?: FrameInput
    /** What comes in once a period. */
    margin: Flow
    /** What goes out, per the same span. */
    upkeep?: Flow
    /** The share of customers that stays. */
    retention: Rate
    /** The discount rate, if only to say 0. */
    discount: Rate
    /** Growth of the margin. */
    growth?: Rate
    /** What winning the customer costs. Default 0. */
    acquisitionCost?: number
    /** How far ahead, a whole number of periods: a span, `"24 months"` or `"3 years"`; without end unless given. */
    horizon?: Duration
    /** Whether the first payment comes at once, or at the period's end. Default `"start"`. */
    payments?: 'start' | 'end'
    /** Columns of the cases. */
    columns?: { name?: string; margin?: string; upkeep?: string; retention?: string; acquisitionCost?: string }
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** What a customer is worth under one retention rate: gross_value, clv, clv_to_cac, payback_payments, …. */
  export function simpleValue(options: SimpleValueOptions & RunOptions): Promise<Frame>

  /** Columns and options of `customerEquity`. */
  export interface EquityOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of residual lifetime values. Default `"value"`. */
    value?: string
    /** Column of profit so far, for profit contributions. */
    profit?: string
    /** Column of the chance to be a customer still, for loyalty weights. */
    pActive?: string
    /** Column of ages so far, for life-cycle weights. */
    age?: string
    /** Column of expected remaining lifetimes, in the unit of `age`. */
    remaining?: string
    /** Cohorts yet to come; `after` may be `"6 months"` or `"year"` too. */
    future?: { after: Duration; customers: number; value: number; acquisitionCost: number }[]
    /** The discount rate for them. */
    discount?: Rate
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /**
   * What all customers are worth: customers, current, future_customers, future, total, future_share.
   * `extras` has customers (with their shares and weights) and future.
   */
  export function customerEquity(frame: FrameInput, options?: EquityOptions & RunOptions): Promise<Frame>

  /** Columns of orders, and how cohorts are cut. */
  export interface CohortOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of times. Default `"time"`. */
    time?: string
    /** Column of amounts. Default `"value"`. */
    value?: string
    /** What time is cut into: month, quarter, year, week, or days such as `"30d"`. Default `"month"`. */
    period?: string
    /** The share of an amount that is margin. Default 1. */
    margin?: number
    /** The last day observed, wholly; the day of the last order by default. */
    observationEnd?: Date | string | number
    /** Whether the last period is kept although it is not over. Default yes, but not in a chain ladder. */
    keepIncomplete?: boolean
    /** Negative amounts. Default `"error"`. */
    refunds?: 'error' | 'drop' | 'net'
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: 's' | 'ms' | 'us' | 'ns'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Who came back: cohort, age, customers, complete, active, retention, purchases, revenue, revenue_per_customer. */
  export function cohorts(orders: FrameInput, options?: CohortOptions & RunOptions): Promise<Frame>

  /** What cohorts have earned by age: margin, cumulative and per customer; `extras.ages`, over all of them. */
  export function historicValue(orders: FrameInput, options?: CohortOptions & RunOptions): Promise<Frame>

  /** Columns and options of `chainLadder`. */
  export interface LadderOptions {
    /** Column of cohorts. Default `"cohort"`. */
    cohort?: string
    /** Column of ages, whole numbers without gaps. Default `"age"`. */
    age?: string
    /** Column of values. Default `"value"`. */
    value?: string
    /** Whether values were earned at each age or up to it. Default `"incremental"`. */
    values?: 'incremental' | 'cumulative'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /**
   * What young cohorts will have earned (Mack 1993): cohort, latest_age, latest, ultimate, outstanding, standard_error,
   * coefficient_of_variation. `extras` has total, factors and triangle.
   */
  export function chainLadder(frame: FrameInput, options?: LadderOptions & RunOptions): Promise<Frame>

  /** The chain ladder of the margins of cohorts, from orders. */
  export function chainLadderOrders(orders: FrameInput, options?: CohortOptions & RunOptions): Promise<Frame>

  /** Columns and options of `markovValue`. */
  export interface MarkovValueOptions {
    /** What each state brings per period. */
    rewards: Record<string, number>
    /** The length of a step, such as `"30d"` or `"month"`. */
    period: Duration
    /** The discount rate, if only to say 0. */
    discount: Rate
    /** Column of the state that a step leaves. Default `"from"`. */
    from?: string
    /** Column of the state that it reaches. Default `"to"`. */
    to?: string
    /** Column of its probability. Default `"probability"`. */
    probability?: string
    /** The last period in which rewards count, from 0; without end unless given. */
    horizon?: number
    /** Whether probabilities must sum to 1, or the rest ends the relationship. Default `"error"`. */
    remainder?: 'error' | 'leave'
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** What a customer is worth in each state: state, reward, value, value_with_stop, keep. */
  export function markovValue(frame: FrameInput, options: MarkovValueOptions & RunOptions): Promise<Frame>

  /** Columns and options of `markovFromOrders`. */
  export interface RecencyOptions extends Omit<CohortOptions, 'keepIncomplete'> {
    /** The discount rate, if only to say 0. */
    discount: Rate
    /** How many periods without a purchase a customer is kept. Default 4. */
    states?: number
    /** What keeping up with a customer costs per period. Default 0. */
    contactCost?: number
    /** The last period in which rewards count, from 0; without end unless given. */
    horizon?: number
  }

  /** The chain of recency, estimated and valued, as of `markovValue`; `extras.transitions` has the chain. */
  export function markovFromOrders(orders: FrameInput, options: RecencyOptions & RunOptions): Promise<Frame>
}

export declare namespace segment {
  /** The name of customers whose scores lie in these ranges, `[lowest, highest]` each. */
  export interface SegmentRule {
    /** The segment's name. */
    segment: string
    /** Recency scores. */
    r?: [number, number]
    /** Frequency scores. */
    f?: [number, number]
    /** Monetary scores. */
    m?: [number, number]
    /** The mean of the frequency and monetary scores, halves rounded up. */
    fm?: [number, number]
  }

  /** Columns and options of `rfm`. */
  export interface RfmOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of times. Default `"time"`. */
    time?: string
    /** Column of amounts. Default `"value"`. */
    value?: string
    /** How many scores there are, 2 to 100. Default 5. */
    bins?: number
    /** The instant to look back from; a day after the last order by default. */
    snapshot?: Date | string
    /** How customers are put into bins. Default `"tie_preserving"`. */
    convention?: 'tie_preserving' | 'rank_first' | 'quantile' | 'ntile' | 'nested' | 'fixed'
    /** The breaks of the convention `"fixed"`. */
    breaks?: { recency: number[]; frequency: number[]; monetary: number[] }
    /** Frequency counts orders (the default) or days. */
    frequency?: 'orders' | 'days'
    /** Monetary value is the sum (the default) or the mean. */
    monetary?: 'sum' | 'mean'
    /** Negative amounts. Default `"invalid"`. */
    refunds?: 'invalid' | 'net' | 'keep' | 'ignore'
    /** The names of the segments. Default `"rf10"`. */
    map?: 'rf10' | 'fm11' | SegmentRule[]
    /** Invalid rows. Default `"error"`. */
    onInvalid?: OnInvalid
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: 's' | 'ms' | 'us' | 'ns'
  }

  /** The options of `KMeans`, at its making or at `fit`. */
  export interface KMeansOptions {
    /** How many clusters. Default 8. */
    k?: number
    /** The columns of numbers that decide. */
    features?: string[]
    /** How many starts are tried. Default 1. */
    nInit?: number
    /** Most iterations. Default 300. */
    maxIter?: number
    /** Stops when the centres move less. Default 1e-4. */
    tol?: number
    /** How features are made comparable. Default `"none"`. */
    scale?: 'none' | 'standard' | 'range'
    /** Where the centres start. Default `"k_means_plus_plus"`. */
    init?: 'k_means_plus_plus' | 'centers'
    /** The rows to start from with `init: "centers"`. */
    centers?: number[][]
    /** Rows that hold a null, NaN or infinity. Default `"error"`. */
    onInvalid?: OnInvalid
  }
}

