'use strict'
// Channel rules as an object: classify, extend, save and load.
const assert = require('node:assert/strict')
const { test } = require('node:test')
const hw = require('../index.js')

test('one visit is classified where it stands', () => {
  const rules = hw.ChannelRules.ga4()
  const found = rules.classify({ landingPage: 'https://a.de/?utm_source=google&utm_medium=cpc&utm_campaign=x' })
  assert.deepEqual([found.source, found.medium, found.campaign, found.channel, found.origin], ['google', 'cpc', 'x', 'Paid Search', 'utm'])
  assert.equal(rules.classify({ landingPage: 'https://a.de/', referrer: 'https://a.de/x' }).channel, null)
  assert.equal(rules.classify({}).channel, 'Direct')
  assert.equal(rules.classify({ source: 'crm', medium: 'webpush', campaign: null }).channel, 'Mobile Push Notifications')
  assert.equal(rules.classify({ clickId: 'msclkid' }).source, 'bing')
  assert.equal(rules.classify({ landingPage: 'http://[broken' }).badLandingPage, true)
  assert.throws(() => rules.classify({ page: 'https://a.de/' }), { code: 'HW_OPTION', option: 'page' })
})

test('rules are extended without changing what they came from', async () => {
  const rules = new hw.ChannelRules()
  const mine = rules
    .withSource('my-shop.de', 'shopping')
    .withClickId('xClid', 'x', 'cpc')
    .prepend({ channel: 'Podcast', when: { field: 'campaign', startsWith: 'PODCAST' } })
    .append({ channel: 'Print', when: { any: [{ field: 'medium', oneOf: ['print', 'flyer'] }] } })
  assert.equal(mine.classify({ referrer: 'https://www.my-shop.de/' }).channel, 'Organic Shopping')
  assert.equal(mine.classify({ landingPage: '/?XCLID=1' }).channel, 'Paid Other')
  assert.equal(mine.classify({ source: 'google', medium: 'cpc', campaign: 'podcast 1' }).channel, 'Podcast')
  assert.equal(mine.classify({ source: 'x', medium: 'flyer' }).channel, 'Print')
  assert.equal(mine.channels[0], 'Podcast')
  assert.equal(rules.spec(), hw.ChannelRules.ga4().spec())
  const loaded = await hw.load(mine.toBytes())
  assert.ok(loaded instanceof hw.ChannelRules)
  assert.equal(loaded.spec(), mine.spec())
  const own = new hw.ChannelRules({ sources: { myForum: 'social' }, ownHosts: ['a.de'], internal: 'direct', lowerCase: true })
  assert.equal(own.classify({ source: 'MyForum', medium: 'post' }).channel, 'Organic Social')
  assert.equal(own.classify({ referrer: 'https://www.a.de/' }).channel, 'Direct')
  for (const bad of [{ internal: 'maybe' }, { rulez: [] }, { rules: [{ channel: 'A', when: { field: 'source' } }] }]) {
    assert.throws(() => new hw.ChannelRules(bad), { code: 'HW_OPTION' })
  }
})

test('visits become touches, and paths are transformed', async () => {
  const visits = {
    customer: ['ann', 'ann', 'bob'],
    time: ['2024-01-01', '2024-01-02', '2024-01-03'],
    url: ['https://a.de/?gclid=1', 'https://a.de/', 'nonsense'],
    referrer: [null, 'https://www.facebook.com/', null],
  }
  const found = await hw.groupChannels(visits, { landingPage: 'url', referrer: 'referrer' })
  assert.deepEqual(found.column('channel'), ['Paid Search', 'Organic Social', 'Unassigned'])
  assert.deepEqual(Array.from(found.extras.accounting.column('first_row')), [2, 2])
  const journeys = await hw.Journeys.fromEvents({ ...visits, channel: found.column('channel') })
  const merged = await journeys.transform([
    { step: 'merge', channels: { paidSearch: ['Paid Search'] } },
    { step: 'trim_long_path', steps: 2 },
  ])
  assert.ok((await merged.paths()).column('path').includes('Organic Social') === false)
  assert.ok(merged.channelNames.includes('paidSearch'))
  await assert.rejects(journeys.transform([{ step: 'exclude', channels: ['email'] }]), { code: 'HW_OPTION', option: 'exclude' })
  await assert.rejects(journeys.transform(['exposures']), { code: 'HW_OPTION' })
})
