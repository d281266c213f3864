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
  /** A touch that could serve several conversions: each (the default), or the first only. */
  sharedTouch?: 'each' | 'reset'
  /** A flagged row's own channel. Default `"touch_and_conversion"`. */
  flaggedRow?: 'touch_and_conversion' | 'conversion'
  /** Touches that led to no conversion. Default `"include"`: they form open journeys. */
  open?: 'include' | 'decided' | 'exclude'
  /** The end of observation. Default: the latest time there is. */
  observationEnd?: Date | string
  /** Rows with nulls, NaN or negative amounts. Default `"error"`. */
  onInvalid?: OnInvalid
  /** The unit of times that are plain numbers; without it they are an error. */
  timeUnit?: TimeUnit
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
}

export declare namespace Journeys {
  /**
   * Journeys from a frame of touches, and conversions as a second frame or as a
   * flag column of the first. Without either, all journeys are open.
   */
  function fromEvents(touches: FrameInput, options?: EventOptions & RunOptions): Promise<Journeys>
}

/** Options of `Journeys.transitions`. */
export interface TransitionOptions {
  /** How many channels a state remembers, 1 to 5. Default 1. */
  order?: number
  /** The same state several times in a row: counts once (the default), or each time. */
  repeats?: 'collapse' | 'keep'
}

/** The parameters of a `Markov` model. */
export interface MarkovOptions {
  /** How many channels the chain remembers, 1 to 5. Default 1. */
  order?: number
  /** The same state several times in a row; changes the transitions, not the removal effects. */
  repeats?: 'collapse' | 'keep'
  /** What removing a channel means. */
  removal?: 'null'
}

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
/** Half as much for every half-life that a touch lies before the conversion. */
export declare class TimeDecay extends Rule {
  constructor(options?: {
    /** The age at which a touch counts half. Default `"7d"`. */
    halfLife?: Duration
  })
  private readonly rule: 'time_decay'
}
/** Shapley values of the channels, in closed form. */
export declare class Shapley extends Rule { private readonly rule: 'shapley' }

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
  | FirstTouch
  | LastTouch
  | LastNonDirect
  | Linear
  | PositionBased
  | TimeDecay
  | Shapley
  | Markov

/** Whatever a model file may hold. */
export type Model = IdentityGraph | Markov | clv.BetaGeo | clv.GammaGamma | segment.KMeans

export declare namespace clv {
  /** Columns and options of `summarize`. */
  export interface SummarizeOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of times. Default `"time"`. */
    time?: string
    /** Column of amounts; `null` for none, and then there is no `monetary_value`. Default `"value"`. */
    value?: string | null
    /** The unit of recency and T. Default `"1d"`. */
    period?: Duration
    /** Orders of one customer within one grain are one purchase. Default `"1d"`. */
    grain?: Duration
    /** The last moment observed; the last order by default. */
    observationEnd?: Date | string
    /** The end of calibration: later orders become holdout columns. */
    calibrationEnd?: Date | string
    /** Whether the first purchase counts in `monetary_value`. Default false. */
    includeFirst?: boolean
    /** Negative amounts: invalid (the default), left out, or set against earlier purchases. */
    refunds?: 'error' | 'drop' | 'net'
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: TimeUnit
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
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

  /** Columns and options of `BetaGeo`. */
  export interface BetaGeoOptions extends FitOptions {
    /** Column of the age at the last purchase. Default `"recency"`. */
    recency?: string
    /** Column of the age at the end of observation. Default `"T"`. */
    T?: string
    /** The unit of recency and T, kept with the model and checked later. */
    period?: Duration
    /** Weight of an L2 penalty on log parameters. Default 0. */
    penalty?: number
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

  /** Columns and options of `BetaGeo.predict`. */
  export interface PredictOptions extends HistoryOptions {
    /** How many periods ahead. Default 1. */
    periods?: number
    /** Level of an interval for the uncertainty of the parameters, such as 0.95. */
    interval?: number
  }

  /** Columns and options of `GammaGamma.predict`. */
  export interface SpendPredictOptions {
    /** Column of customers. Default `"customer"`. */
    customer?: string
    /** Column of repeat purchases. Default `"frequency"`. */
    frequency?: string
    /** Column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }

  /** Columns and options of `lifetimeValue`. */
  export interface LifetimeOptions extends HistoryOptions {
    /** Column of the mean value of the repeat purchases. Default `"monetary_value"`. */
    monetaryValue?: string
    /** How many periods ahead are valued. Default 52. */
    periods?: number
    /** Discount rate per period. Default 0. */
    discountRate?: number
    /** Share of the spend that is profit. Default 1. */
    margin?: number
  }

  /** Columns and options of `BetaGeo.tracking`. */
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
    observationEnd?: Date | string
    /** Negative amounts. Default `"error"`. */
    refunds?: 'error' | 'drop' | 'net'
    /** The unit of times that are plain numbers; without it they are an error. */
    timeUnit?: TimeUnit
    /** Rows that cannot be. Default `"error"`. */
    onInvalid?: OnInvalid
  }
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
    timeUnit?: TimeUnit
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

/**
 * Splits the conversions of journeys over channels, by each of the models:
 * model, channel, conversions, value; and where cost is known: cost, roas, cpa.
 * `extras.removalEffects` has those of the Markov models.
 */
export declare function attribute(journeys: Journeys, models: AttributionModel[], options?: RunOptions): Promise<Frame>

/**
 * Attribution by the removal effects in a Markov chain of the given order,
 * computed exactly. A model for `attribute` as it is; `fit` keeps the chain.
 */
export declare class Markov {
  /** A chain that is not fitted yet. */
  constructor(options?: MarkovOptions)
  /** Fits the chain to journeys, and resolves to this model. */
  fit(journeys: Journeys, options?: RunOptions): Promise<this>
  /** The channels. */
  get channels(): Array<string>
  /** The share of conversions lost without each channel, in the order of `channels`. */
  get removalEffects(): Array<number>
  /** The share of value lost without each channel, in the order of `channels`. */
  get removalEffectsValue(): Array<number>
  /** The probability that a journey converts. */
  get conversionProbability(): number
  /** The value that a journey brings on average. */
  get valuePerJourney(): number
  /** The transitions: from, to, count, probability. */
  transitions(): Frame
  /** The credit of each touch of one journey, adding up to 1; takes microseconds. */
  score(path: Array<string>): Array<number>
  /** The model as the bytes of a model file. */
  toBytes(): Uint8Array
  /** Writes the model to a file; `load` reads it back. */
  save(path: string): Promise<void>
}

/**
 * A result: named columns of equal length.
 *
 * Pass it to the next call as it stands: nothing is converted between two
 * calls. `toRows()`, `column()` and `toArrow()` copy out.
 */
export declare class Frame {
  /** How many rows there are. */
  get rows(): number
  /** The columns' names, in order. */
  get columnNames(): Array<string>
  /** The frames that came with this one, by name. */
  get extras(): Record<string, Frame>
  /** The rows that were dropped on the way, and why: column, reason, count, first_row. */
  get dropped(): Frame | null
  /** The frame as the bytes of an Arrow IPC stream, for any Arrow library. */
  toIPC(): Uint8Array
  /** The first rows, 10 unless told. */
  head(rows?: number | undefined | null): Frame
}

/** An identifier: a value in a namespace. */
export interface Identifier {
  /** The namespace. */
  namespace: string
  /** The value. */
  value: string
}

/** What `observe` did. */
export interface Observation {
  /** The customer of the event; missing when no identifier could be used. */
  customer?: string
  /** The ids of the customers that became this one; they still resolve to it. */
  merged: Array<string>
  /** The identifiers that a rule kept out of this customer. */
  refused: Array<Refusal>
  /** The values that identify nobody. */
  blocked: Array<Blocked>
}

/** An identifier that a rule kept out of an event's customer. */
export interface Refusal {
  /** The identifier. */
  identifier: Identifier
  /** Whose it stays. */
  customer: string
  /** The rule: `limit:NAMESPACE`, `max_identifiers` or `unlinked`. */
  rule: string
}

/** A value that identifies nobody. */
export interface Blocked {
  /** The value as it came. */
  identifier: Identifier
  /** `blank`, `garbage`, `rule` or `unparsable`. */
  reason: string
}

/** What `forget` or `unlink` changed. */
export interface Change {
  /** The customer as it was called before. */
  customer: string
  /** The customers that its identifiers are now, the first seen first. */
  customers: Array<string>
  /** How many links were removed. */
  links: number
}

/** Who is who, and why: the result of `stitch`. */
export declare class People {
  /** How many customers there are. */
  get customerCount(): number
  /** How many identifiers there are. */
  get identifierCount(): number
  /** How many rows had no identifier that could be used; they have no customer. */
  get unidentified(): number
  /**
   * All identifiers and their customers: namespace, identifier, customer,
   * first_seen, last_seen, events.
   */
  customers(): Frame
  /** The customer of an identifier; `null` when it does not occur, or identifies nobody. */
  resolve(namespace: string, value: string): string | null
  /** The identifiers of a customer, the first seen first. */
  members(customer: string): Array<Identifier>
  /**
   * Why two identifiers, `[namespace, value]` each, are one customer's: the
   * shortest chain of links; `null` when they are not.
   */
  explain(a: [string, string], b: [string, string]): Link[] | null
  /** The links that a rule refused, and which rule. */
  refused(): Frame
  /** The values that identify nobody: namespace, value, reason, events. */
  blocked(): Frame
  /** How many customers have how many identifiers. */
  sizes(): Frame
  /** The rows that were dropped, and why. */
  dropped(): Frame
}

/**
 * Stitches identifiers that were seen together into customers.
 *
 * Each row of the frame is one event: the identifiers in it belong to one
 * person, as far as the rules allow.
 */
export declare function stitch(events: FrameInput, options: StitchOptions & RunOptions): Promise<People>

/**
 * An e-mail address in its one form; `null` when it is none. With `gmail`,
 * dots and tags of Gmail addresses do not count.
 */
export declare function normalizeEmail(value: string, gmail?: boolean | undefined | null): string | null

/**
 * A telephone number in its international form; `null` when it is none.
 * `region` is the country of numbers without a country code, such as `"GB"`.
 */
export declare function normalizePhone(value: string, region?: string | undefined | null): string | null

/** Compares a stitching with the truth: precision, recall and F1 over pairs, and B-cubed. */
export declare function evaluate(frame: FrameInput, options: EvaluateOptions & RunOptions): Promise<Frame>

/** Customers from identifiers, one event at a time, in microseconds each. */
export declare class IdentityGraph {
  /** An empty graph. */
  constructor(rules?: IdentityRules)
  /** Takes in one event: identifiers seen together, by namespace. `null`s are skipped. */
  observe(identifiers: Record<string, string | number | bigint | null | undefined>, event?: { time?: Date | string | number, source?: string }): Observation
  /** Takes in a frame of events, in their order of time. */
  extend(events: FrameInput, options: Omit<StitchOptions, 'rules'> & RunOptions): Promise<Frame>
  /** The customer of an identifier; `null` when it was never seen, or identifies nobody. */
  resolve(namespace: string, value: string): string | null
  /** The id that a customer has now, by its id or a former one; `null` for an unknown id. */
  current(customer: string): string | null
  /** The identifiers of a customer, by its id or a former one, the first seen first. */
  members(customer: string): Array<Identifier>
  /**
   * Why two identifiers, `[namespace, value]` each, are one customer's: the
   * shortest chain of links; `null` when they are not.
   */
  explain(a: [string, string], b: [string, string]): Link[] | null
  /** Erases an identifier and all that came of it; `null` when it is unknown. */
  forget(namespace: string, value: string): Change | null
  /** Takes back that two identifiers are one customer's, for good; `null` when one is unknown. */
  unlink(a: [string, string], b: [string, string]): Change | null
  /** All identifiers and their customers. */
  customers(): Frame
  /** The links that a rule refused, and which rule. */
  refused(): Frame
  /** How many identifiers there are. */
  get identifierCount(): number
  /** How many customers there are. */
  get customerCount(): number
  /** The graph as the bytes of a model file. */
  toBytes(): Uint8Array
  /** Writes the graph to a model file; `load` reads it back. */
  save(path: string): Promise<void>
}

/** Journeys, ready to be counted, attributed and reported. */
export declare class Journeys {
  /** Journeys from a frame of paths with counts. */
  static fromPaths(paths: FrameInput, options?: PathOptions & RunOptions): Promise<Journeys>
  /** How many journeys there are, open ones and conversions without a touch included. */
  get size(): number
  /** The channels, in the order of their labels. */
  get channelNames(): Array<string>
  /** All conversions, those without a touch included. */
  get totalConversions(): number
  /** The value of all conversions. */
  get totalValue(): number
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
  /** The rows that were dropped, and why. */
  dropped(): Frame
  /**
   * The credit of each touch of each converting journey: journey, position,
   * customer, time, channel, conversion_time, conversions, value.
   */
  touchCredits(model: AttributionModel, options?: RunOptions): Promise<Frame>
}

/** Reads a model from a file, or from the bytes of one. */
export declare function load(file: string | Uint8Array): Promise<Model>

export declare namespace clv {
  /**
   * Customers from orders: customer, frequency, recency, T, monetary_value, and
   * the holdout where `calibrationEnd` is given. `extras.accounting` says where
   * every order went.
   */
  export function summarize(orders: FrameInput, options?: SummarizeOptions & RunOptions): Promise<Frame>

  /**
   * The discounted value of every customer over the coming periods: customer,
   * expected_purchases, p_alive, expected_spend, lifetime_value.
   */
  export function lifetimeValue(model: BetaGeo, spend: GammaGamma, rfm: FrameInput, options?: LifetimeOptions & RunOptions): Promise<Frame>

  /** The BG/NBD model of repeat purchases (Fader, Hardie & Lee 2005). */
  export class BetaGeo {
    /** A model that is not fitted yet. */
    constructor(options?: BetaGeoOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { r: number, alpha: number, a: number, b: number }, period?: Duration): BetaGeo
    /** Estimates the parameters by maximum likelihood, and resolves to this model. */
    fit(rfm: FrameInput, options?: BetaGeoOptions & RunOptions): Promise<this>
    /** What to expect of each customer: customer, expected_purchases, p_alive. */
    predict(rfm: FrameInput, options?: PredictOptions & RunOptions): Promise<Frame>
    /** Actual and expected repeat purchases, period after period. */
    tracking(orders: FrameInput, options?: TrackingOptions & RunOptions): Promise<Frame>
    /** The parameters r, alpha, a and b. */
    get params(): { r: number, alpha: number, a: number, b: number }
    /** Their standard errors; `null` where the data do not identify one. */
    get standardErrors(): { r: number | null, alpha: number | null, a: number | null, b: number | null }
    /** The maximised log-likelihood. */
    get logLikelihood(): number
    /** One row for each parameter: parameter, estimate, standard_error, low, high. */
    table(): Frame
    /** One row on the fit: log_likelihood, customers, iterations, gradient_norm, aic, bic, verdict, …. */
    fitTable(): Frame
    /** The probability that one customer has not dropped out; takes microseconds. */
    pAlive(frequency: number, recency: number, age: number): number
    /** The purchases to expect of one customer in the coming periods; takes microseconds. */
    expectedPurchases(frequency: number, recency: number, age: number, periods: number): number
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }

  /** The gamma-gamma model of the value of a purchase (Fader & Hardie 2013). */
  export class GammaGamma {
    /** A model that is not fitted yet. */
    constructor(options?: GammaGammaOptions)
    /** A model with given parameters, for example published ones. */
    static fromParameters(params: { p: number, q: number, v: number }): GammaGamma
    /** Estimates the parameters by maximum likelihood, and resolves to this model. */
    fit(rfm: FrameInput, options?: GammaGammaOptions & RunOptions): Promise<this>
    /** The spend to expect for each purchase: customer, expected_spend. */
    predict(rfm: FrameInput, options?: SpendPredictOptions & RunOptions): Promise<Frame>
    /** The parameters p, q and v. */
    get params(): { p: number, q: number, v: number }
    /** Their standard errors; `null` where the data do not identify one. */
    get standardErrors(): { p: number | null, q: number | null, v: number | null }
    /** The maximised log-likelihood. */
    get logLikelihood(): number
    /** The correlation of frequency and monetary value, which the model takes to be none. */
    get correlation(): number
    /** One row for each parameter: parameter, estimate, standard_error, low, high. */
    table(): Frame
    /** One row on the fit. */
    fitTable(): Frame
    /**
     * The spend to expect for each purchase of one customer; `null` where the
     * model has no mean. Takes microseconds.
     */
    expectedSpend(frequency: number, monetaryValue: number): number | null
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }
}

export declare namespace segment {
  /**
   * Customers scored by recency, frequency and monetary value, and named:
   * customer, recency, frequency, monetary, r, f, m, score, segment.
   * `extras.segments` has one row a segment, `extras.breaks` the breaks.
   */
  export function rfm(orders: FrameInput, options?: RfmOptions & RunOptions): Promise<Frame>

  /** k-means: exact, seeded by greedy k-means++, the same for any number of threads. */
  export class KMeans {
    /** A model that is not fitted yet. */
    constructor(options?: KMeansOptions & { seed?: number | bigint, threads?: number })
    /** Finds the clusters, and resolves to this model. */
    fit(frame: FrameInput, options?: KMeansOptions & RunOptions): Promise<this>
    /** The cluster of each row of a frame: row, segment, distance. */
    predict(frame: FrameInput, options?: { onInvalid?: OnInvalid } & RunOptions): Promise<Frame>
    /** The cluster of each training row that was kept. */
    get labels(): Uint32Array
    /** The clusters of the training rows as a frame: row, segment. */
    assignments(): Frame
    /** The names of the features. */
    get features(): Array<string>
    /** The centres, one array a cluster. */
    get centers(): Array<Array<number>>
    /** How many training rows each cluster has. */
    get sizes(): Array<number>
    /** The sum of squared distances to the nearest centre. */
    get inertia(): number
    /** How many iterations it took. */
    get iterations(): number
    /** Whether it stopped by itself, and not at `maxIter`. */
    get converged(): boolean
    /** One row a cluster: segment, size, share, and the centre in a column for each feature. */
    table(): Frame
    /** The model as the bytes of a model file. */
    toBytes(): Uint8Array
    /** Writes the model to a file; `load` reads it back. */
    save(path: string): Promise<void>
  }
}

export declare namespace simulate {
  /** A market, or a batch of one, as frames. */
  export interface Market {
    /** One row a touch: time, cookie, device, email, user_id, channel, campaign, cost. */
    events: Frame
    /** One row an order in the observed days: time, order_id, the identifiers, source, value. */
    orders: Frame
    /** What stitching takes: the identifiers of events and orders together, in the order of time. */
    records: Frame
    /** The orders of the days after the end. */
    holdout: Frame
    /** Truth, one row a person: rates, amounts, whether alive at the end, and what came. */
    people: Frame
    /** Truth: namespace, identifier, person; one row for each person who used the identifier. */
    truthPeople: Frame
    /** Truth beside `events`: person. */
    truthEvents: Frame
    /** Truth beside `orders`: order_id, person, and the channel that caused it. */
    truthOrders: Frame
    /**
     * Truth of each channel: what it cost, the orders that its touches caused
     * (`incremental_…`), and those that would not exist with the channel
     * switched off (`lost_…`); of a stream, in the batches so far.
     */
    channels: Frame
    /** Truth: the sums; of a stream, over the batches so far. */
    totals: Frame
    /** The end of the observed days. */
    end: Date
  }

  /** Makes a whole market in memory, in the order of time. */
  export function market(options?: MarketOptions & RunOptions): Promise<Market>

  /** The named markets, which differ in what makes attribution hard: name, story. */
  export function presets(): Frame

  /**
   * Makes randomised lift tests in a market, one row each: channel, start, end,
   * metric, effect, standard_error, true_effect, people, held_out, conversions,
   * conversions_held_out. A share of people is held out, whom the channel does
   * not touch; the effect is the difference of means, scaled to all people.
   */
  export function liftTest(tests: LiftTest[], market?: MarketOptions & RunOptions): Promise<Frame>

  /**
   * Scores the credits of models against what channels truly did: model,
   * channel, credit, truth, over_credit, credit_share, true_share, error,
   * relative_error, covered, share_covered. `extras.models` has one row a model.
   * Whether shares are right (`error`) and whether the amount is (`over_credit`)
   * are kept apart: splitting all conversions credits what comes anyway too.
   */
  export function score(credits: FrameInput, truth: FrameInput, options?: ScoreOptions & RunOptions): Promise<Frame>
}
