'use strict'
// The attribution models that have no state: names with parameters.

function rules(scoreRule) {
  const rule = (name, model) =>
    ({
      [name]: class {
        constructor(options = {}) {
          Object.assign(this, options)
          Object.defineProperty(this, 'model', { value: model, enumerable: true })
        }

        score(path, times) {
          return scoreRule(this, path, times)
        }
      },
    })[name]
  return {
    FirstTouch: rule('FirstTouch', 'first'),
    LastTouch: rule('LastTouch', 'last'),
    LastNonDirect: rule('LastNonDirect', 'last_non_direct'),
    Linear: rule('Linear', 'linear'),
    PositionBased: rule('PositionBased', 'position_based'),
    TimeDecay: rule('TimeDecay', 'time_decay'),
    Custom: rule('Custom', 'custom'),
  }
}

module.exports = { rules }
