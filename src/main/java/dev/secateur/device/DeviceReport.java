package dev.secateur.device;

import java.util.Map;

/**
 * What of a kind of device there is on this machine, for people.
 *
 * @param works whether a device can be opened
 * @param fails whether the libraries are there but fail when asked for devices
 * @param summary how many there are, or why there is none
 * @param libraries by name, where each lies, or what is missing and how to get it
 */
public record DeviceReport(
    boolean works, boolean fails, String summary, Map<String, String> libraries) {}
