export const renderReportHtml = (r: unknown): string => JSON.stringify(r);
