// The page with the keyboard alone: from its beginning to a record that is opened.

const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.querySelector?.('.box');
  return {
    name: element.id || element.getAttribute('name') || element.className.baseVal || element.className || element.tagName,
    isSeen: style.outlineStyle !== 'none' || (box !== null && box !== undefined && parseFloat(getComputedStyle(box).strokeWidth) > 2) || element.type === 'radio',
  };
});

/** What is drawn can have the focus, too. */
const focus = (page, selector) => page.evaluate((what) => document.querySelector(what).focus(), selector);

/** Walks with Tab and arrows, opens a record with Enter, and leaves it open. */
export const walk = async (page, shown, drawn) => {
  const said = { stops: [], unseen: [] };
  await page.evaluate(() => {
    document.activeElement?.blur();
    document.getSelection().removeAllRanges();
  });
  for (let stop = 0; stop < 40; stop += 1) {
    await page.keyboard.press('Tab');
    const { name, isSeen } = await focused(page);
    // Between the end and the beginning.
    if (name === 'BODY') continue;
    if (said.stops.includes(name) && name === said.stops[0]) break;
    said.stops.push(name);
    if (!isSeen) said.unseen.push(name);
  }

  // Skipping leads to the records.
  await focus(page, '#skip');
  await page.keyboard.press('Enter');
  said.after_skip = await page.evaluate(() => document.activeElement.id);

  // The timeline is moved in, a span is selected, and shown.
  await focus(page, '#timeline');
  await page.keyboard.press('End');
  said.time_before = await page.$eval('#timeline', (element) => element.getAttribute('aria-valuetext'));
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.down('Shift');
  for (let n = 0; n < 3; n += 1) await page.keyboard.press('ArrowLeft');
  await page.keyboard.up('Shift');
  said.time_after = await page.$eval('#timeline', (element) => element.getAttribute('aria-valuetext'));
  let before = await drawn(page);
  await page.keyboard.press('Enter');
  await shown(page, before);
  said.zoomed = await page.evaluate(() => location.hash);
  before = await drawn(page);
  await page.keyboard.press('Escape');
  await shown(page, before);

  // The graph is walked along a chain.
  await focus(page, '.node[tabindex="0"]');
  said.graph = [];
  for (const key of ['Home', 'ArrowRight', 'ArrowRight', 'ArrowLeft']) {
    await page.keyboard.press(key);
    said.graph.push(await page.evaluate(() => document.activeElement.querySelector('title')?.textContent));
  }

  // The list, to its end and back, and one record.
  await focus(page, '#list');
  await page.keyboard.press('End');
  await page.waitForFunction(() => document.querySelector('#rows .row[aria-selected="true"] .verdict')?.textContent.trim());
  said.last = await page.evaluate(() => {
    const list = document.getElementById('list');
    const row = document.getElementById(list.getAttribute('aria-activedescendant'));
    const [inner, outer] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
    return { index: Number(row.getAttribute('aria-rowindex')), of: Number(list.getAttribute('aria-rowcount')), isInSight: inner.top >= outer.top && inner.bottom <= outer.bottom + 1 };
  });
  await page.keyboard.press('Home');
  for (let n = 0; n < 5; n += 1) await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.querySelector('#rows .row[aria-selected="true"] .verdict')?.textContent.trim());
  said.row = await page.evaluate(() => document.getElementById(document.getElementById('list').getAttribute('aria-activedescendant')).getAttribute('aria-rowindex'));
  await page.keyboard.press('Enter');
  await page.waitForSelector('#decision[open]');
  said.in_dialog = await page.evaluate(() => document.activeElement.id);
  const title = () => page.$eval('#decision .dialog-bar .dim', (element) => element.textContent);
  const first = await title();
  await page.keyboard.press('j');
  await page.waitForFunction((was) => document.querySelector('#decision .dialog-bar .dim').textContent !== was, {}, first);
  said.stepped = (await title()) !== first;
  return said;
};
