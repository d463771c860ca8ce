/**
 * Structured filter pruning of convolutional networks. This room holds the failures that all others
 * throw. From the top: cli; experiment and report; run; prune (with criterion and latency) and
 * bench; train and io; nn, pls and data; device (with cpu and cuda); tensor. Imports go down only,
 * which a test holds. A complete program is src/test/java/dev/secateur/PruneExample.java.
 */
package dev.secateur;
