// Does people's jobs on the console with a real headless Chromium: every module of `jobs` is one job. What a page shows is judged by axe, narrow
// and wide, light and dark. Called by tests: node frame.mjs TOOLS FACTS [JOB…].
//
// A job exports `visitor` (who does it, a name of `bed.rs`), maybe `scripts` (true: with JavaScript; the essential works without), and
// `run({ page, base, facts, shown, as, leads })`:
//   shown(name)     judges what `page` shows now; the same page in English, too, if it was not the answer to a form
//   as(name)        a page of another visitor, with its own `shown`: { page, shown, leads }
//   leads(act)      does something that leads to another page, and waits for that page
// `facts` are those of `browser.rs` of the job's file name.
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import assert from 'node:assert/strict';

const [tools, text, ...wanted] = process.argv.slice(2);
const all = JSON.parse(text);
const { base, shots } = all;
const require = createRequire(`${tools}/node_modules/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = process.env.AMTSBOTE_TEST_CHROMIUM ?? '/usr/bin/chromium';
if (shots) mkdirSync(shots, { recursive: true });

// Jobs that are done at the same time, and milliseconds in which a page has to do what it is asked for.
const AT_ONCE = 4;
const PATIENCE = 60_000;

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
// Width, colours, and whether all rules are applied, or only that of contrast.
const VIEWS = [[390, 'light', true], [1280, 'dark', true], [390, 'dark', false], [1280, 'light', false]];

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });

// What is wrong with a copy of a page, by axe, and whether something sticks out to the side.
async function judge(copy, html, name, views) {
  for (const [width, colorScheme, whole] of views) {
    await copy.setViewportSize({ width, height: 800 });
    await copy.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await copy.setContent(html, { waitUntil: 'domcontentloaded' });
    const wide = await copy.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name}: ${wide} pixels wide at ${width}`);
    if (shots) await copy.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    await copy.evaluate(axe);
    const only = whole ? { type: 'tag', values: RULES } : { type: 'rule', values: ['color-contrast'] };
    const found = await copy.evaluate((runOnly) => axe.run(document, { runOnly, resultTypes: ['violations'] }), only);
    const told = found.violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(' | ')}`);
    assert.deepEqual(told, [], `${name} at ${width}, ${colorScheme}`);
  }
}

// A page of a visitor with a browser's memory of its own, and all that is noticed on it.
async function visit(job, visitor, scripts) {
  const context = await browser.newContext({ javaScriptEnabled: scripts, viewport: { width: 1280, height: 800 }, locale: 'de-DE' });
  const judges = await browser.newContext({ viewport: { width: 390, height: 800 } });
  await context.addCookies([{ name: 'test', value: visitor, url: base }]);
  context.setDefaultTimeout(PATIENCE);
  judges.setDefaultTimeout(PATIENCE);
  const [page, other, copy] = [await context.newPage(), await context.newPage(), await judges.newPage()];
  const wrong = [];
  let isAnswer = false;
  context.on('request', (request) => {
    if (!request.url().startsWith(`${base}/`) && !request.url().startsWith('data:')) wrong.push(`asked for ${request.url()}`);
    if (request.frame() === page.mainFrame() && request.isNavigationRequest()) isAnswer = request.method() === 'POST';
  });
  // That a page is not allowed or gone is for the job to expect; it is told as a resource that is this very page.
  context.on('console', (said) => {
    if (said.type() === 'error' && said.location().url !== said.page()?.url()) wrong.push(`said ${said.text()}`);
  });
  context.on('weberror', (error) => wrong.push(`failed: ${error.error()}`));

  const looks = async (here, name, lang, views) => {
    assert.equal(await here.locator('html').getAttribute('lang'), lang, name);
    assert.equal(await here.locator('h1').count(), 1, `${name}: headings`);
    await judge(copy, await here.content(), `${job}-${name}-${lang}`, views);
  };
  const shown = async (name) => {
    await looks(page, name, 'de', VIEWS);
    if (!isAnswer) {
      const url = new URL(page.url());
      url.searchParams.set('lang', 'en');
      await other.goto(url.href);
      await looks(other, name, 'en', shots ? VIEWS : VIEWS.slice(0, 1));
    }
    assert.deepEqual(wrong, [], `${job}-${name}`);
  };
  const leads = async (act) => {
    const there = page.waitForNavigation();
    await act();
    await there;
  };
  const end = async () => { await context.close(); await judges.close(); };
  return { page, shown, leads, end };
}

async function work(file) {
  const name = file.replace(/\.mjs$/, '');
  const job = await import(`./jobs/${file}`);
  const visits = [];
  const as = async (visitor) => {
    const here = await visit(name, visitor, job.scripts === true);
    visits.push(here);
    return here;
  };
  const { page, shown, leads } = await as(job.visitor);
  await job.run({ page, base, facts: all[name] ?? {}, shown, as, leads });
  for (const here of visits) await here.end();
}

const folder = new URL('./jobs/', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.mjs'));
const chosen = files.filter((file) => wanted.length === 0 || wanted.includes(file.replace(/\.mjs$/, '')));
const failed = [];
const waiting = [...chosen];

// Does one job after the other until none waits.
async function doWaiting() {
  for (let file = waiting.shift(); file; file = waiting.shift()) {
    await work(file).catch((reason) => failed.push(`${file}: ${reason.stack ?? reason}`));
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, doWaiting));
await browser.close();
if (failed.length > 0) {
  console.error(failed.join('\n\n'));
  process.exit(1);
}
console.log(`jobs done: ${chosen.length}`);
