// What the tests of the control page share: the page, and what its REST says whatever it shows.

/** Opens the control page, and waits until its script has drawn it. */
export async function open(page, house) {
  await page.goto(`${house.platform}/_sandbox`);
  await page.waitForSelector('#faults .of-fault');
}

/** What the API says, whatever the page shows. */
export async function told(house, path) {
  const answer = await fetch(`${house.platform}/_sandbox/${path}`, { headers: { authorization: `Bearer ${house.token}` } });
  return answer.json();
}
