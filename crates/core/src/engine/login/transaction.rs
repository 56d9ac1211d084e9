//! Login transactions: begun before the user goes to the upstream, finished with its answer.
