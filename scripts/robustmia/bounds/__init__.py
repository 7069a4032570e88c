"""Sound upper bounds on logit margins in an l-inf ball: `interval`, `zonotope` and `dual`, on the network that `graph` reads."""
