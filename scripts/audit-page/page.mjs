// Looks at the page of `agentauth audit view` in a real browser, and says what it has seen. Asserts nothing.
import chromium from '@sparticuz/chromium';
import puppeteer from 'puppeteer-core';
import axe from 'axe-core';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { contrasts } from './contrast.mjs';
import { walk } from './keyboard.mjs';

const { url, screenshots } = JSON.parse(await text(process.stdin));
const seen = { errors: [], violations: [], requests: [], times: {}, contrast: {}, axe: {} };

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? (await chromium.executablePath()),
  headless: 'shell',
  // Sandboxes of containers are not ones in which a browser can make its own.
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--font-render-hinting=none'],
});

const watched = async (page) => {
  page.on('console', (message) => ['error', 'warn'].includes(message.type()) && seen.errors.push(message.text()));
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('request', (request) => seen.requests.push(request.url().split('#')[0].split('?')[0]));
  page.on('requestfailed', (request) => request.failure()?.errorText !== 'net::ERR_ABORTED' && seen.errors.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.exposeFunction('violated', (what) => seen.violations.push(what));
  await page.evaluateOnNewDocument(() => {
    addEventListener('securitypolicyviolation', (event) => window.violated(`${event.violatedDirective}: ${event.blockedURI}`));
  });
};

/** Waits until what is shown has been drawn once more than `before`. */
const shown = (page, before) => page.waitForFunction((n) => Number(document.body.dataset.shown ?? 0) > n, { timeout: 120_000 }, before);
const drawn = (page) => page.evaluate(() => Number(document.body.dataset.shown ?? 0));
const counted = (page) => page.$eval('#count', (element) => Number(element.textContent.split(' ')[0].replaceAll(',', '')));

/** Does something, and says how long it took until the page showed it, in milliseconds. */
const timed = async (page, name, act) => {
  const before = await drawn(page);
  const begun = performance.now();
  await act();
  await shown(page, before);
  seen.times[name] = Math.round(performance.now() - begun);
};

const hash = (page, filters) => page.evaluate((to) => {
  history.pushState(null, '', `#${to}`);
  dispatchEvent(new PopStateEvent('popstate'));
}, filters);

const picture = async (page, name) => {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.png`) });
};

const audited = (page, name) => page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ['violations'] })`).then(({ violations }) => {
  seen.axe[name] = violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map((node) => node.html.slice(0, 160)) }));
});

const light = [{ name: 'prefers-color-scheme', value: 'light' }];
const dark = [{ name: 'prefers-color-scheme', value: 'dark' }];

try {
  const page = await browser.newPage();
  await watched(page);
  await page.setViewport({ width: 1440, height: 900 });
  await page.emulateMediaFeatures(light);

  await timed(page, 'until all is read', async () => {
    await page.goto(url, { waitUntil: 'domcontentloaded' });
    await page.waitForFunction(() => document.getElementById('notice').hidden && document.querySelector('#rows .verdict'), { timeout: 120_000 });
  });
  seen.address = await page.evaluate(() => location.href);
  // Once more, as somebody does who looks at a log that has been read.
  const before = performance.now();
  await page.reload({ waitUntil: 'domcontentloaded' });
  await page.waitForFunction(() => document.querySelector('#rows .verdict'), { timeout: 120_000 });
  seen.times['until the list is there'] = Math.round(performance.now() - before);
  seen.times['first paint'] = await page.evaluate(() => Math.round(performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1));
  await shown(page, 0);

  seen.total = await counted(page);
  seen.rows = await page.$$eval('#rows .row', (rows) => rows.length);
  await picture(page, 'light');
  await audited(page, 'page');

  seen.reason = await page.$eval('#reasons .name', (element) => element.parentElement.title);
  await timed(page, 'filter by reason', () => page.click('#reasons button'));
  seen.by_reason = await counted(page);
  await timed(page, 'filter by verdict', () => page.evaluate(() => document.querySelector('#clear').click()).then(() => page.click('input[name=verdict][value=deny]')));
  await page.waitForFunction(() => location.hash.includes('verdict=deny'));
  await timed(page, 'clear', () => page.click('#clear'));
  seen.cleared = await page.$eval('input[name=verdict]:checked', (element) => element.value);
  await timed(page, 'filter by text', () => page.type('input[name=text]', 'sealed'));
  seen.by_text = await counted(page);
  seen.shared = await page.evaluate(() => location.hash);
  await timed(page, 'filter by agent and time', () => page.evaluate(() => document.querySelector('#clear').click()).then(() => page.click('.node.agent')));
  seen.by_agent = await counted(page);

  // A view that was handed on: the hash alone says it.
  await timed(page, 'a view by its hash', () => hash(page, seen.shared.slice(1)));
  seen.by_hash = await counted(page);
  await timed(page, 'all', () => hash(page, ''));

  seen.keyboard = await walk(page, shown, drawn);
  await picture(page, 'decision');
  seen.opened = await page.evaluate(() => {
    const dialog = document.getElementById('decision');
    const texts = (selector) => [...dialog.querySelectorAll(selector)].map((element) => element.textContent);
    return { title: texts('h2')[0], chain: texts('.tree b'), depth: dialog.querySelectorAll('.tree, .tree ul').length, reasons: texts('.reasons li'), sections: texts('h3'), raw: texts('.raw pre')[0] };
  });
  await audited(page, 'decision');
  seen.contrast.decision = await contrasts(page);
  await page.emulateMediaFeatures(dark);
  seen.contrast['decision, dark'] = await contrasts(page);
  await picture(page, 'decision-dark');
  await page.keyboard.press('Escape');
  seen.keyboard.after_escape = await page.evaluate(() => document.activeElement?.id);

  seen.contrast['page, dark'] = await contrasts(page);
  await audited(page, 'page, dark');
  await picture(page, 'dark');
  await page.emulateMediaFeatures(light);
  seen.contrast.page = await contrasts(page);

  // The record that would like to be markup.
  await timed(page, 'a probe', () => hash(page, 'text=evil.example'));
  await page.click('#rows .row');
  await page.waitForSelector('#decision[open]');
  await page.evaluate(() => document.querySelector('#decision details').setAttribute('open', ''));
  seen.probe = await page.evaluate(() => ({
    ran: window.probed ?? null,
    elements: document.querySelectorAll('img, #decision script, #rows script').length,
    text: document.getElementById('decision').textContent.includes('<img src=x onerror='),
    hidden: /[\u202e\u0000]/.test(document.body.textContent),
  }));
  await picture(page, 'probe');
  await page.keyboard.press('Escape');

  await page.click('#integrity');
  await page.waitForFunction(() => document.querySelector('#verify-again:not(:disabled)'), { timeout: 120_000 });
  seen.integrity = await page.$eval('#integrity-dialog', (element) => element.textContent);
  seen.badge = await page.$eval('#integrity', (element) => element.textContent.trim());
  await audited(page, 'integrity');
  seen.contrast.integrity = await contrasts(page);
  await picture(page, 'integrity');
  await page.keyboard.press('Escape');

  await timed(page, 'all again', () => hash(page, ''));
  await page.setViewport({ width: 390, height: 844 });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  seen.narrow_overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await picture(page, 'narrow');
  await page.evaluate(() => document.querySelector('#graph-title').scrollIntoView());
  await picture(page, 'narrow-list');
  await audited(page, 'narrow');
  await page.setViewport({ width: 1440, height: 900 });

  await page.emulateMediaFeatures([...light, { name: 'prefers-reduced-motion', value: 'reduce' }]);
  seen.motion = await page.evaluate(() => [...document.querySelectorAll('*')].filter((element) => parseFloat(getComputedStyle(element).transitionDuration) > 0).length);
  seen.shifts = await page.evaluate(() => new Promise((done) => {
    const shifts = { sum: 0, of: [] };
    const name = (node) => node?.id || node?.className || node?.nodeName;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput)) {
        shifts.sum += entry.value;
        shifts.of.push(...entry.sources.map((source) => `${entry.value.toFixed(3)} ${name(source.node)}`));
      }
    }).observe({ type: 'layout-shift', buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => done(shifts)));
  }));

  // Without the token there is nothing to see.
  const stranger = await (await browser.createBrowserContext()).newPage();
  await stranger.goto(url.split('#')[0], { waitUntil: 'domcontentloaded' });
  await stranger.waitForFunction(() => !document.getElementById('notice').hidden);
  seen.stranger = await stranger.evaluate(() => ({ notice: document.getElementById('notice').textContent, rows: document.querySelectorAll('#rows .row').length }));
} catch (error) {
  seen.failure = String(error.stack ?? error);
} finally {
  await browser.close();
}
seen.requests = [...new Set(seen.requests.map((request) => new URL(request).origin))];
process.stdout.write(`${JSON.stringify(seen, null, 1)}\n`);
