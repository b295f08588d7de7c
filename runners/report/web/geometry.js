// Where things are: ends of a list of numbers, and what is nearest to a place.

export function bounds(values) {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
}

// Index of the nearest point within reach; -1 when there is none.
export function nearestPoint(points, x, y, reach) {
  return nearest(points, reach, ([px, py]) => (px - x) ** 2 + (py - y) ** 2);
}

// Index of the segment that passes nearest, within reach; each names the points at its ends.
export function nearestSegment(points, segments, x, y, reach) {
  return nearest(segments, reach, ({ ends: [a, b] }) => {
    const [[ax, ay], [bx, by]] = [points[a], points[b]];
    const long = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
    const along = Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / long));
    return (ax + along * (bx - ax) - x) ** 2 + (ay + along * (by - ay) - y) ** 2;
  });
}

function nearest(items, reach, apart) {
  let [best, least] = [-1, reach * reach];
  items.forEach((item, k) => {
    const here = apart(item);
    if (here < least) [best, least] = [k, here];
  });
  return best;
}
