'use strict'
const native = require('./face/native.js')
const errors = require('./face/error.js')
const { dress } = require('./face/frame.js')
const { frame } = require('./face/intake.js')
const { follower } = require('./face/follow.js')
const { json, options } = require('./face/options.js')
const { simulate } = require('./face/simulate.js')

const { registerFace, cancelJob, jobProgress, ...face } = native
dress(native.Frame)
registerFace({
  error: errors.error,
  follow: follower(cancelJob, jobProgress),
  frame: (value) => frame(value, native.Frame),
  json,
  options,
})

module.exports = { ...face, HeadwaterError: errors.HeadwaterError, simulate: simulate(native.simulate) }
