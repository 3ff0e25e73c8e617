// Drives the citizens' pages with a real headless Chromium: without JavaScript, by keyboard alone, at 320 pixels, in German and English. axe
// judges every page (in a second context, since it is a script itself). Called by tests: node pages.mjs TOOLS FACTS.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

const [tools, text] = process.argv.slice(2);
const facts = JSON.parse(text);
const require = createRequire(`${tools}/node_modules/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = process.env.AMTSBOTE_TEST_CHROMIUM ?? '/usr/bin/chromium';
if (facts.shots) mkdirSync(facts.shots, { recursive: true });

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

// Pages with scripts, for those who judge: each is given what the page without scripts was answered.
const judges = [];
for (const [width, colorScheme] of [[320, 'light'], [320, 'dark'], [1024, 'light']]) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
  judges.push({ width, colorScheme, copy: await context.newPage() });
}

// What is wrong by axe, and whether something sticks out to the side. Colours and widths are the same in both languages.
async function judge(page, name, lang) {
  const html = await page.content();
  for (const { width, colorScheme, copy } of lang === 'de' || facts.shots ? judges : judges.slice(0, 1)) {
    await copy.setContent(html);
    const wide = await copy.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name}: ${wide} pixels wide at ${width}`);
    if (facts.shots) await copy.screenshot({ path: `${facts.shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    if (width > 320) continue;
    await copy.evaluate(axe);
    const found = await copy.evaluate((tags) => axe.run(document, { runOnly: tags }), RULES);
    const told = found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(' | ')}`);
    assert.deepEqual(told, [], `${name} at ${width}, ${colorScheme}`);
  }
}

// Presses Tab until the element that fits has the focus; everything on the way must be seen to have it.
async function tabTo(page, selector) {
  for (let step = 0; step < 60; step += 1) {
    await page.keyboard.press('Tab');
    const at = page.locator(':focus');
    if (await at.count() === 0) continue;
    assert.ok(await at.isVisible(), 'the focus is on something that is not seen');
    if (await page.locator(`${selector}:focus`).count() > 0) return;
  }
  assert.fail(`by keyboard nobody gets to ${selector}`);
}

// Does something that leads to another page, and waits for that.
async function leads(page, act) {
  const there = page.waitForNavigation();
  await act();
  await there;
}

for (const lang of ['de', 'en']) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 320, height: 640 }, locale: lang });
  const page = await context.newPage();
  const foreign = [];
  page.on('request', (request) => { if (!request.url().startsWith(facts.base)) foreign.push(request.url()); });
  const shown = async (name) => {
    assert.equal(await page.locator('html').getAttribute('lang'), lang, name);
    assert.equal(await page.locator('h1').count(), 1, name);
    assert.equal(await page.locator('script').count(), 0, name);
    await judge(page, `${name}-${lang}`, lang);
  };

  await page.goto(`${facts.base}/citizen/`);
  await shown('start');
  // The first stop leads past the header.
  await page.keyboard.press('Tab');
  assert.equal(await page.locator(':focus').getAttribute('href'), '#main');

  // Wrong first.
  await tabTo(page, '#number');
  await page.keyboard.type('1234 5678 903');
  await tabTo(page, '#secret');
  await page.keyboard.type('aaaaa-aaaaa-aaaaa-aaaaa');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  await shown('wrong');

  await tabTo(page, '#number');
  await page.keyboard.type(facts.number);
  await tabTo(page, '#secret');
  await page.keyboard.type(facts.secret.toLowerCase());
  await tabTo(page, 'button.main');
  await leads(page, () => page.keyboard.press('Enter'));
  assert.ok(page.url().includes('/citizen/case') && !page.url().includes(facts.secret) && !page.url().includes(facts.number));
  await shown('case');

  // The session says until when it lasts, and is extended by keyboard.
  await tabTo(page, 'main a[href*="/citizen/case"]');
  await leads(page, () => page.keyboard.press('Enter'));
  assert.ok(page.url().includes('/citizen/case'));
  assert.equal(await page.locator('#notices').count(), 1);

  // Another choice of how to hear of it.
  await tabTo(page, 'input[type=radio]');
  await page.keyboard.press('Space');
  await tabTo(page, 'form[action*="/way"] button');
  await leads(page, () => page.keyboard.press('Enter'));
  assert.ok(page.url().includes('/citizen/case'));

  const download = page.waitForEvent('download');
  await tabTo(page, 'form[action*="/documents/"] button');
  await page.keyboard.press('Enter');
  assert.equal((await download).suggestedFilename(), 'bescheid.pdf');

  await page.goto(`${facts.base}/citizen/case?lang=${lang}`);
  await tabTo(page, 'form[action*="/claims/"] button');
  await page.keyboard.press('Enter');
  await page.waitForSelector('a.button.main');
  await shown('provider');

  // The link to the other language is there, and back.
  await page.goto(`${facts.base}/citizen/case?lang=${lang}`);
  await leads(page, () => page.locator('a[hreflang]').click());
  assert.notEqual(await page.locator('html').getAttribute('lang'), lang);
  await leads(page, () => page.locator('a[hreflang]').click());
  assert.equal(await page.locator('html').getAttribute('lang'), lang);

  await leads(page, () => page.locator('footer a').first().click());
  await shown('accessibility');

  await page.goto(`${facts.base}/citizen/back?lang=${lang}`);
  await shown('back');
  await page.goto(`${facts.pay}?lang=${lang}`);
  await shown('pay');
  await page.goto(`${facts.upload}?lang=${lang}`);
  await shown(lang === 'de' ? 'upload' : 'over');
  if (lang === 'de') {
    const form = page.locator('input[type=file]');
    await form.setInputFiles({ name: 'x.html', mimeType: 'text/html', buffer: Buffer.from('<script>alert(1)</script>') });
    await page.locator('button.main').click();
    await page.waitForSelector('[role=alert]');
    await shown('upload-wrong');
    await form.setInputFiles({ name: 'statik.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.7\n%%EOF\n') });
    await page.locator('button.main').click();
    await page.waitForSelector('[role=status]');
    await shown('thanks');
  }

  await page.goto(`${facts.base}/citizen/case?lang=${lang}`);
  await page.locator('header form button').click();
  await page.waitForSelector('#number');
  await page.goto(`${facts.base}/citizen/case?lang=${lang}`);
  await page.waitForSelector('[role=alert]');
  assert.deepEqual(foreign, [], 'something was asked for elsewhere');
  await context.close();
}
await browser.close();
console.log('the pages work');
